"""What a run takes in besides its order: files, listings, answers on what is there, modules, packages, machine.

Written down in every plain run, so that `--cached` can decide whether it would be the same run today. What cannot be
seen is an obstacle, as text: such a run is never used again. Forked children add what they take in to a file.
"""

from __future__ import annotations

import functools
import genericpath
import importlib.util
import json
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from reprocheck import __version__
from reprocheck.protocol import FINGERPRINT_VERSION
from reprocheck.protocol.inputs import digest_of, kind_of, machine, modules_in, names_in, packages_in, stat_of
from reprocheck.worker.bootstrap.importing import after_import
from reprocheck.worker.inputs.own_file import append
from reprocheck.worker.inputs.sites import Sites

CHILDREN_FILE = "inputs.jsonl"
MOST_PATHS = 20_000
MOST_DIGESTS = 1_000
DIGEST_BYTES = 64 * 2**20
"""Beyond so many files or bytes a file is known by its size, times and inode only."""

_SYSTEM = ("/proc/", "/sys/", "/dev/")
_OPENS_IN_PYTHON = frozenset(
    (
        *("torch", "functorch", "triton", "numpy", "scipy", "pandas", "sklearn", "PIL", "matplotlib", "contourpy"),
        *("kiwisolver", "xxhash", "yaml", "_yaml", "markupsafe", "regex", "charset_normalizer", "google", "psutil"),
        *("msgpack", "ujson", "orjson", "simplejson", "gmpy2", "_cffi_backend"),
    )
)
"""Packages with native code that leave the opening of files to Python, where it is heard."""
_CODE = (".pyc", ".py")
_READS_NATIVELY = frozenset(("_gdbm", "_dbm"))
_UNFOLLOWED = ("multiprocessing.popen_spawn_posix", "multiprocessing.popen_forkserver")
_ASK_FOR_THEMSELVES = frozenset(("reprocheck", "importlib"))
_PROGRAMS = ("subprocess.Popen", "os.system", "os.posix_spawn", "os.exec")


class Inputs:
    """Collects while the target runs; `found` says what there was, in its state at the end."""

    def __init__(self, folder: Path, own_tmpdir: str, sites: Sites) -> None:
        self._evidence = os.path.realpath(folder.parent.parent.parent)
        self._children = folder / CHILDREN_FILE
        hidden = {self._evidence, str(folder.parent.parent.parent)}
        hidden |= {own_tmpdir, os.path.realpath(own_tmpdir)} if own_tmpdir else set()
        self._hidden = (*(path + os.sep for path in hidden), *_SYSTEM)
        self._sites = sites
        self._pid = os.getpid()
        self._started = time.time_ns()
        self._seen: dict[str, dict[str, None]] = {
            kind: {} for kind in ("read", "own", "changed", "removed", "listed", "probed", "library", "obstacle")
        }
        self._closed = False
        self._actions: dict[str, Callable[[tuple[Any, ...]], None]] = {
            "open": self._open,
            "os.rename": self._rename,
            "os.remove": lambda args: self._path("removed", args[0]),
            "shutil.rmtree": lambda args: self._path("removed", args[0]),
            "os.scandir": lambda args: self.listed(args[0]),
            "ctypes.dlopen": lambda args: self._path("library", args[0]) if args[0] and "/" in str(args[0]) else None,
            "socket.connect": self._connect,
            "sqlite3.connect": self._connect_database,
            **{event: lambda args: self._obstacle("it started another program") for event in _PROGRAMS},
        }

    @property
    def events(self) -> frozenset[str]:
        """The audit events that it wants."""
        return frozenset(self._actions)

    def watch(self) -> None:
        """From now on, questions on what is there, and the files that torch opens in C++."""
        for name in ("exists", "isfile", "isdir", "lexists", "getsize", "getmtime"):
            wrapped = self._probing(getattr(os.path, name))
            for module in (os.path, genericpath):
                if hasattr(module, name):
                    setattr(module, name, wrapped)
        for name in ("exists", "is_file", "is_dir"):
            setattr(pathlib.Path, name, self._probing(getattr(pathlib.Path, name)))
        after_import("torch", self._watch_torch)

    def on_event(self, event: str, args: tuple[Any, ...]) -> None:
        """An audit event. Raises nothing: that would end what the target is doing."""
        if not self._closed:
            with suppress(Exception):
                self._actions[event](args)

    def listed(self, folder: Any) -> None:
        """The target asked for the names in a folder."""
        with suppress(Exception):
            if _module(sys._getframe(2)) not in _ASK_FOR_THEMSELVES:  # what imports find is named by `modules`
                self._path("listed", "." if folder is None else folder)

    def found(self) -> dict[str, Any]:
        """All of it, for the evidence; ends the collecting."""
        self._closed = True
        self._join_children()
        seen, is_user = self._seen, self._sites.is_user_file
        read = {_source(path): None for path in [*seen["read"], *self._sites.user_files()]}
        paths = [path for path in read if is_user(path) and path not in seen["own"]]
        files = self._files(paths)
        folders = {os.path.dirname(path) for path, state in files.items() if path.endswith(".py") and state is not None}
        on_path = [os.path.abspath(entry) for entry in list(sys.path)]
        folders |= {entry for entry in on_path if is_user(entry + os.sep)}
        return {
            "version": f"{__version__}/{FINGERPRINT_VERSION}",
            "files": files,
            "folders": {path: names_in(path, self._evidence) for path in seen["listed"] if is_user(path + os.sep)},
            "probes": {path: kind_of(path) for path in seen["probed"] if is_user(path)},
            "modules": {path: modules_in(path) for path in sorted(folders)},
            "packages": {path: packages_in(path) for path in dict.fromkeys(on_path)},
            "machine": machine(),
            "obstacles": sorted({*seen["obstacle"], *self._obstacles(paths, files)}),
        }

    def _files(self, paths: list[str]) -> dict[str, list[Any] | None]:
        """Path → size, times and inode, and a digest while that costs next to nothing; None: no such file."""
        files: dict[str, list[Any] | None] = {}
        left, room = MOST_DIGESTS, DIGEST_BYTES
        for path in paths:
            state = stat_of(path)
            if state is None and os.path.lexists(path) and kind_of(path) != "folder":
                continue  # a pipe or a device: what came from it is not the state of a file
            files[path] = None
            if state is not None:
                small = left > 0 and state[0] <= room
                if small:
                    left, room = left - 1, room - state[0]
                files[path] = [*state, digest_of(path) if small else ""]
        return files

    def _obstacles(self, paths: list[str], files: dict[str, list[Any] | None]) -> Iterator[str]:
        seen = self._seen
        if any(len(known) >= MOST_PATHS for known in seen.values()):
            yield f"it took in more than {MOST_PATHS} files or folders"
        gone = tuple(path + os.sep for path in seen["removed"])
        for path in paths:
            state = files.get(path)
            if path in seen["changed"] or (state is not None and state[1] > self._started):
                yield f"{path} changed while it ran"
            elif path in seen["removed"] or (gone and path.startswith(gone)):
                yield f"it removed {path}, which it had read"
            elif path not in files:
                yield f"it read from {path}, which is no file"
        for path in seen["library"]:
            if "/torch/" not in path and "/nvidia/" not in path:
                yield f"it loaded the native library {path}"
        if any(name in sys.modules for name in _UNFOLLOWED):
            yield "it started processes that reprocheck does not follow"
        yield from _native_packages()

    def _open(self, args: tuple[Any, ...]) -> None:
        path, mode, flags = args
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        text = mode if isinstance(mode, str) else ""
        if not (any(c in text for c in "wax+") or (not text and flags & (os.O_WRONLY | os.O_RDWR))):
            # Most of what is opened is the code of libraries: the packages stand for it.
            if not (isinstance(path, str) and path.endswith(_CODE) and not self._sites.is_user_file(path)):
                self._path("read", path)
            return
        from_empty = "w" in text or "x" in text or bool(flags & (os.O_TRUNC | os.O_EXCL))
        self._wrote(path, from_empty=from_empty)
        if not from_empty and ("+" in text or flags & os.O_RDWR):
            self._path("read", path)

    def _wrote(self, path: Any, *, from_empty: bool) -> None:
        """A file written again is no input when it is read after that."""
        path = _absolute(path)
        if "__pycache__" not in path and path not in self._seen["own"]:
            self._path("own" if from_empty and path not in self._seen["read"] else "changed", path)

    def _rename(self, args: tuple[Any, ...]) -> None:
        source = _absolute(args[0])
        self._wrote(args[1], from_empty=source in self._seen["own"])
        if source not in self._seen["own"]:
            self._path("removed", source)

    def _connect(self, args: tuple[Any, ...]) -> None:
        if isinstance(args[1], tuple):  # a socket in the file system stays on this machine
            self._obstacle("it used the network")

    def _connect_database(self, args: tuple[Any, ...]) -> None:
        path = database_path(args[0])
        if path is not None:
            self._path("read", path)
            self._obstacle("it used a database")

    def _obstacle(self, text: str) -> None:
        self._note("obstacle", text)

    def _path(self, kind: str, path: Any) -> None:
        if isinstance(path, (str, bytes, os.PathLike)):
            text = _absolute(path)
            if not (text + os.sep).startswith(self._hidden):
                self._note(kind, text)
        elif not isinstance(path, int) or kind == "listed":
            self._obstacle("it listed a folder that has no name here")

    def _note(self, kind: str, text: str) -> None:
        known = self._seen[kind]
        if kind == "probed" and text in self._seen["own"]:
            return  # it knows that it is there
        if text in known or len(known) >= MOST_PATHS:
            return
        known[text] = None
        if os.getpid() != self._pid:
            line = json.dumps([kind, text]).encode() + b"\n"
            append(str(self._children), line)

    def _join_children(self) -> None:
        with suppress(FileNotFoundError), self._children.open(encoding="utf-8") as lines:
            for line in lines:
                kind, text = json.loads(line)
                self._seen[kind].setdefault(text)

    def _probing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def probe(path: Any, *args: Any, **kwargs: Any) -> Any:
            if not self._closed:
                with suppress(Exception):
                    if not isinstance(path, int) and _module(sys._getframe(1)) not in _ASK_FOR_THEMSELVES:
                        self._path("probed", path)
            return original(path, *args, **kwargs)

        return probe

    def _watch_torch(self) -> None:
        torch: Any = sys.modules["torch"]

        def reading(original: Callable[..., Any], place: int) -> Callable[..., Any]:
            @functools.wraps(original)
            def read(*args: Any, **kwargs: Any) -> Any:
                with suppress(Exception):
                    self._path("read", args[place] if len(args) > place else kwargs["filename"])
                return original(*args, **kwargs)

            return read

        for owner, name, place in ((torch, "from_file", 0), (torch._C, "import_ir_module", 1)):
            if hasattr(owner, name):
                setattr(owner, name, reading(getattr(owner, name), place))

    def wrote_in_torch(self, path: Any) -> None:
        """torch's own writer makes a file: no event reports it."""
        with suppress(Exception):
            self._wrote(path, from_empty=True)


def _native_packages() -> Iterator[str]:
    """Packages that may read files without a word to Python."""
    named = set()
    for name, module in list(sys.modules.items()):
        top = name.partition(".")[0]
        known = top in sys.stdlib_module_names or top in _OPENS_IN_PYTHON
        file = getattr(module, "__file__", None)
        if name in _READS_NATIVELY or (not known and isinstance(file, str) and file.endswith((".so", ".pyd"))):
            named.add(top)
    for top in sorted(named):
        yield f"{top} has native code that may read files unheard"


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _source(path: str) -> str:
    """Of compiled code its source: that is what a user changes."""
    if path.endswith(".pyc"):
        with suppress(ValueError):
            return importlib.util.source_from_cache(path)
    return path


def database_path(name: Any) -> str | None:
    """The file that sqlite3.connect opens by this name; None for a database in memory."""
    text = os.fsdecode(name)
    if text.startswith("file:"):
        from urllib.parse import unquote, urlsplit

        text = unquote(urlsplit(text).path)
    return text if text and not text.startswith(":") else None


def _absolute(path: Any) -> str:
    return os.path.abspath(os.fsdecode(path))
