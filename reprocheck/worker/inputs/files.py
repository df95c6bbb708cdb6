"""Which files the target opened for writing, and what was in them at the end."""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import sys
import time
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xxhash import xxh3_128

from reprocheck.protocol import file_digest
from reprocheck.protocol.names import IN_TEMPORARY
from reprocheck.worker.bootstrap.importing import after_import
from reprocheck.worker.fingerprint.leaves import leaves_of
from reprocheck.worker.inputs.inputs import database_path
from reprocheck.worker.inputs.programs import PROGRAMS, files_at, paths_named, runs_python

if TYPE_CHECKING:
    from reprocheck.worker.inputs.inputs import Inputs
    from reprocheck.worker.ledger.ledger import Ledger
    from reprocheck.worker.observe.children import Children

MAX_FILES = 10_000
_NATIVE: dict[str, tuple[tuple[str, str, int], ...]] = {
    "safetensors.torch": (("", "save_file", 1), ("", "save_model", 1)),
    "safetensors.numpy": (("", "save_file", 1),),
    "torch": (("jit", "save", 1), ("jit.ScriptModule", "save", 1), ("jit._script.RecursiveScriptModule", "save", 1)),
}
"""Writers by module: where they lie in it, and which argument names the file."""
NO_FILES = tuple(name + os.sep for name in ("/proc", "/sys"))
"""Where what is written goes to the system, and nothing is kept."""
CLOCK_TICK = 20_000_000
"""Nanoseconds by which the times of files may lag behind the clock."""


MOST_TEMPORARY = 100
LARGEST_TEMPORARY = 16 * 2**20
"""Of files in the temporary folder so many are looked at, and bytes of one."""
_SYSTEM = ("/dev/", "/proc/", "/sys/")
_CACHES = ("/.cache/", "/__pycache__/", "/torchinductor", "/.triton/")


class WrittenFiles:
    """Collects paths through Python's audit events, and through torch's own file writer, which raises none."""

    def __init__(self, hidden: tuple[str, ...], cwd: Path, children: Children, temporary: str = "") -> None:
        """`temporary`: the folder for temporary files, one of those that are hidden."""
        self._folder = os.path.realpath(cwd) + os.sep
        self._children = children
        self._pid = os.getpid()
        self._hidden = tuple(os.path.realpath(folder) + os.sep for folder in hidden if folder)
        self._temporary = os.path.realpath(temporary) + os.sep if temporary else ""
        self._paths: dict[str, None] = {}
        self._named: dict[str, None] = {}
        """What programs that the target started were given: they may have written there."""
        self._started = time.time_ns() - CLOCK_TICK
        self._listening = True
        self._inputs: Inputs | None = None

    def watch(self, ledger: Ledger | None = None, inputs: Inputs | None = None) -> None:
        """From now on. The other gets its events from here: a second hook would slow down the whole process."""
        self._inputs = inputs
        other = inputs if ledger is None else ledger
        if other is None:
            sys.addaudithook(self._on_event)
        else:
            events, forward = other.events, other.on_event

            def listen(event: str, args: tuple[Any, ...]) -> None:
                if event in events:
                    self._on_event(event, args)
                    forward(event, args)

            sys.addaudithook(listen)
        after_import("torch", self._watch_torch)
        for module in _NATIVE:
            after_import(module, functools.partial(self._watch_writers, module))

    def found(self, cwd: Path, read_checkpoints: bool) -> dict[str, Any]:
        """Path (relative where it lies below `cwd`), state and digests of every file that is still there."""
        self._listening = False
        files: dict[str, dict[str, Any]] = {}
        missing = []
        temporary = 0
        below = os.path.realpath(cwd) + os.sep
        for path in (*self._paths, *self._written_by_programs()):
            real = os.path.realpath(path)
            is_temporary = bool(self._temporary) and real.startswith(self._temporary)
            is_hidden = not is_temporary and real.startswith((*self._hidden, *NO_FILES))
            if real in files or is_hidden or "__pycache__" in real:
                continue
            shown = real[len(below) :] if real.startswith(below) else real
            if is_temporary:
                shown, temporary = IN_TEMPORARY + real[len(self._temporary) :], temporary + 1
            try:
                seen = os.stat(real)
                if is_temporary and (
                    temporary > MOST_TEMPORARY or seen.st_size > LARGEST_TEMPORARY or any(w in real for w in _CACHES)
                ):
                    continue
                if not stat.S_ISREG(seen.st_mode) or seen.st_ctime_ns < self._started:
                    continue  # opened, and not written
                files[real] = {
                    "path": shown,
                    "size": seen.st_size,
                    "digest": file_digest(real),
                    "contents": _contents(real) if read_checkpoints else [],
                    "state": [seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino],
                }
            except FileNotFoundError:
                continue
            except OSError as error:
                reason = f"it cannot be read: {error.strerror or error}"
                missing.append({"what": f"file {shown}", "reason": reason, "is_result": read_checkpoints, "help": ""})
        if len(self._paths) >= MAX_FILES:
            reason = f"more than {MAX_FILES:,} were opened for writing; of those outside of the folder the first count"
            missing.append({"what": "files", "reason": reason, "is_result": read_checkpoints, "help": ""})
        return {"files": sorted(files.values(), key=lambda file: str(file["path"])), "not_compared": missing}

    def _on_event(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and len(args) == 3:
            path, mode, flags = args
            writes = any(c in mode for c in "wax+") if isinstance(mode, str) else flags & (os.O_WRONLY | os.O_RDWR)
            if writes and isinstance(path, (str, bytes, os.PathLike)):
                self._add(path)
        elif event in PROGRAMS:
            with contextlib.suppress(Exception):
                if runs_python(event, args) and (event != "os.exec" or os.getpid() != self._pid):
                    self._children.started()
                if self._listening and len(self._named) < MAX_FILES:
                    self._named.update(dict.fromkeys(paths_named(event, args)))
        elif event == "os.rename" and len(args) > 1:
            self._add(args[1])
        elif event == "sqlite3.connect" and args:
            path = database_path(args[0])
            if path is not None:
                self._add(path)

    def _add(self, path: Any) -> None:
        if not self._listening and self._children.is_over:
            with contextlib.suppress(OSError, TypeError, ValueError):
                if self._is_elsewhere(os.path.realpath(os.fsdecode(path))):
                    self._children.wrote_late()
        if self._listening and len(self._paths) < MAX_FILES:
            with contextlib.suppress(OSError, TypeError, ValueError):
                whole = os.path.abspath(os.fsdecode(path))
                self._paths[whole] = None
                if os.getpid() != self._pid and self._is_elsewhere(os.path.realpath(whole)):
                    self._children.wrote()

    def _written_by_programs(self) -> Iterator[str]:
        for named in self._named:
            if self._is_elsewhere(os.path.realpath(named)):
                yield from (path for path in files_at(named, self._folder) if self._is_elsewhere(path))

    def _is_elsewhere(self, path: str) -> bool:
        """Whether nobody else looks at a file: those in the folder are found by a scan."""
        return not path.startswith((self._folder, *self._hidden, *_SYSTEM)) and not any(
            word in path for word in _CACHES
        )

    def _watch_writers(self, module: str) -> None:
        """Functions that open their file in code that raises no event."""
        for owner, name, argument in _NATIVE[module]:
            found: Any = sys.modules[module]
            for part in owner.split(".") if owner else ():
                found = getattr(found, part, None)
            writer = getattr(found, name, None)
            if writer is not None:
                setattr(found, name, self._hearing(writer, argument))

    def _hearing(self, writer: Any, argument: int) -> Any:
        @functools.wraps(writer)
        def write(*args: Any, **kwargs: Any) -> Any:
            path = args[argument] if len(args) > argument else kwargs.get("filename", kwargs.get("f"))
            if isinstance(path, (str, os.PathLike)):
                self._add(path)
            return writer(*args, **kwargs)

        return write

    def _watch_torch(self) -> None:
        import torch.serialization as serialization

        module: Any = serialization
        writer = getattr(module, "_open_zipfile_writer", None)
        if writer is None:
            return

        def opened(name_or_buffer: Any) -> Any:
            if isinstance(name_or_buffer, (str, os.PathLike)):
                self._add(name_or_buffer)
                if self._inputs is not None:
                    self._inputs.wrote_in_torch(name_or_buffer)
            return writer(name_or_buffer)

        module._open_zipfile_writer = opened


def _contents(path: str) -> list[str]:
    """Of a checkpoint its tensors, loaded without executing anything."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not zipfile.is_zipfile(path):
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they would be taken for the target's
            loaded = torch.load(path, map_location="cpu", weights_only=True)
        leaves = [f"{leaf.name}:{leaf.dtype}:{leaf.shape}:{leaf.digest}" for leaf in leaves_of(loaded)]
        if not leaves or any(not leaf.digest for leaf in leaves_of(loaded)):
            return []
    except Exception:  # not a checkpoint, or one that cannot be read safely
        return []
    return ["tensors:" + xxh3_128("\n".join(leaves).encode("utf-8", "surrogatepass")).hexdigest()]
