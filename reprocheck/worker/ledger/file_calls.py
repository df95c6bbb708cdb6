"""Wrappers of files, listings, databases, the network and other programs. Files come from Python's audit events, which
report every `open`; files that torch writes in C++ come from its own writer."""

from __future__ import annotations

import glob
import os
import pathlib
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from reprocheck.model import RunSpec
from reprocheck.worker.inputs.inputs import database_path
from reprocheck.worker.ledger.callers import OURS, STANDARD, USER
from reprocheck.worker.ledger.entries import Reach, Source
from reprocheck.worker.ledger.ledger import Ledger
from reprocheck.worker.ledger.replacer import Replacer

OWN = "own"
"""The generator of a read: the run itself had written the file again before."""
FOUND, ABSENT = "found", "absent"
"""The generators of a probe."""
APPEND = "append"
"""The generator of a write that keeps what the file held."""
_SYSTEM = ("/proc/", "/dev/", "/sys/")
_CODE = (".py", ".pyc", ".pyi")
_BINARY = (".so", ".pyc", ".pyd", ".dylib")


def install(replacer: Replacer, spec: RunSpec) -> None:
    """All of them, now or when their module is imported."""
    _watch_listings(replacer, str(spec.cwd))
    _watch_probes(replacer, str(spec.cwd))
    replacer.once_imported("sqlite3", lambda sqlite3: _watch_sqlite(replacer, sqlite3))
    files = _Files(replacer.ledger, spec)
    replacer.ledger.on_event, replacer.ledger.events = files.on_event, files.events
    replacer.once_imported("torch.serialization", lambda module: _watch_torch_writer(module, files))


def shown(path: Any, cwd: str) -> str:
    """A path relative to the folder of the run where it lies below it."""
    if isinstance(path, int):
        return f"descriptor {path}"
    text = os.path.abspath(os.fsdecode(path))
    return text[len(cwd) :].lstrip(os.sep) or "." if (text + os.sep).startswith(cwd + os.sep) else text


def _watch_listings(replacer: Replacer, cwd: str) -> None:
    def first(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        return shown(args[0] if args else kwargs.get("path") or kwargs.get("top") or ".", cwd)

    def pattern(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        return os.fsdecode(args[0] if args else kwargs.get("pathname", ""))

    def watch(owner: Any, name: str, value: Any) -> None:
        replacer.watch(owner, name, kind="listing", name=_shown_name(owner, name), value=value)

    for name in ("listdir", "scandir", "walk", "fwalk"):
        watch(os, name, first)
    for name in ("glob", "iglob"):
        watch(glob, name, pattern)
    for name in ("iterdir", "glob", "rglob", "walk"):
        watch(pathlib.Path, name, first)


def _watch_probes(replacer: Replacer, cwd: str) -> None:
    """Whether a file is there is no audit event."""
    for name in ("exists", "isfile", "isdir", "lexists"):
        _watch_probe(replacer, os.path, name, cwd)
    for name in ("exists", "is_file", "is_dir"):
        _watch_probe(replacer, pathlib.Path, name, cwd)


def _shown_name(owner: Any, name: str) -> str:
    """As a user writes it, wherever this Python keeps it."""
    return f"{'pathlib.Path' if owner is pathlib.Path else 'os.path' if owner is os.path else owner.__name__}.{name}"


def _watch_probe(replacer: Replacer, owner: Any, name: str, cwd: str) -> None:
    source = replacer.ledger.source(kind="probe", name=_shown_name(owner, name), reach=Reach.DIRECT, by_value=True)
    original = getattr(owner, name)
    ledger = replacer.ledger

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        there = original(*args, **kwargs)
        frame = sys._getframe(1)
        if ledger.callers.owner(frame.f_code) == USER:
            ledger.see(source, frame, lambda: shown(args[0], cwd), FOUND if there else ABSENT)
        return there

    replacer.replace(owner, name, wrapper)


def _watch_sqlite(replacer: Replacer, sqlite3: Any) -> None:
    for owner, name in ((sqlite3.Connection, "execute"), (sqlite3.Cursor, "execute")):
        query = replacer.ledger.source(
            kind="query", name=f"sqlite3.{owner.__name__}.execute", value=lambda args, _: args[1], by_value=True
        )

        def choose(args: tuple[Any, ...], kwargs: dict[str, Any], query: Source = query) -> Source | None:
            return query if len(args) > 1 and _is_unordered(args[1]) else None

        replacer.watch_by_choice(owner, name, choose)


def _is_unordered(sql: Any) -> bool:
    statement = " ".join(sql.upper().split()) if isinstance(sql, str) else ""
    return "SELECT " in statement and ("ORDER BY" not in statement or "RANDOM()" in statement)


class _Files:
    """What the audit events of this process say."""

    def __init__(self, ledger: Ledger, spec: RunSpec) -> None:
        self._ledger = ledger
        self._cwd = str(spec.cwd)
        self._hidden: tuple[str, ...] = (str(spec.directory.parent) + os.sep, *_SYSTEM)
        cache = spec.environment.get("TORCHINDUCTOR_CACHE_DIR")
        if cache:
            self._hidden += (cache + os.sep,)
        self._written: set[str] = set()
        self._sources: dict[tuple[str, str], Source] = {}
        self._actions: dict[str, Callable[[tuple[Any, ...], FrameType], None]] = {
            "open": self._open,
            "os.rename": self._rename,
            "os.putenv": self._putenv,
            "sqlite3.connect": self._connect_database,
            "socket.connect": self._connect,
            "subprocess.Popen": lambda args, frame: self._note("subprocess", "subprocess.Popen", frame, str(args[1])),
            "os.system": lambda args, frame: self._note("subprocess", "os.system", frame, str(args[0])),
            "os.posix_spawn": lambda args, frame: self._note("subprocess", "os.posix_spawn", frame, str(args[0])),
        }

    def on_event(self, event: str, args: tuple[Any, ...]) -> None:
        try:
            self._actions[event](args, self.opener())
        except Exception:  # an audit hook that raises would end what the target is doing
            return

    @property
    def events(self) -> frozenset[str]:
        """The audit events that it wants."""
        return frozenset(self._actions)

    def opener(self) -> FrameType:
        """Who is at work: the first frame above that is not ours."""
        frame = sys._getframe(2)
        while frame.f_back is not None and self._ledger.callers.owner(frame.f_code) == OURS:
            frame = frame.f_back
        return frame

    def wrote(self, path: Any, frame: FrameType, *, from_empty: bool) -> None:
        """The target writes a file; again: whatever it held is gone."""
        path = os.path.abspath(os.fsdecode(path))
        if self._is_of_interest(path, frame):
            if from_empty:
                self._written.add(path)
            self._note("write", "open", frame, shown(path, self._cwd), "" if from_empty else APPEND)

    def _note(self, kind: str, name: str, frame: FrameType, value: str, generator: str = "") -> None:
        callers = self._ledger.callers
        user, imports = callers.user_frame(frame)
        if user is None or imports:
            return
        if user is not frame and kind in ("read", "write"):
            name = _entry_name(callers.entry(frame)) or name
        source = self._sources.get((kind, name))
        if source is None:
            source = self._sources[kind, name] = self._ledger.source(
                kind=kind, name=name, reach=Reach.FAR, by_value=True
            )
        self._ledger.see(source, frame, lambda: value, generator)

    def _open(self, args: tuple[Any, ...], frame: FrameType) -> None:
        path, mode, flags = args
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        path = os.path.abspath(os.fsdecode(path))
        mode = mode if isinstance(mode, str) else ""
        if any(letter in mode for letter in "wax+") or (not mode and flags & (os.O_WRONLY | os.O_RDWR)):
            from_empty = "w" in mode or "x" in mode or bool(flags & os.O_TRUNC)
            if not from_empty and "a" not in mode and not flags & os.O_APPEND:
                from_empty = _is_empty(path)
            self.wrote(path, frame, from_empty=from_empty)
            if from_empty or "a" in mode:
                return
        if self._is_of_interest(path, frame) and os.path.isfile(path):
            own = OWN if path in self._written else ""
            self._note("read", "open", frame, shown(path, self._cwd), own)

    def _is_of_interest(self, path: str, frame: FrameType) -> bool:
        if path.startswith(self._hidden) or path.endswith(_BINARY):
            return False
        callers = self._ledger.callers
        if path.endswith(_CODE) and callers.owner(frame.f_code) in (STANDARD, OURS):
            return False
        return callers.owner_of_file(path) == USER

    def _rename(self, args: tuple[Any, ...], frame: FrameType) -> None:
        source = os.path.abspath(os.fsdecode(args[0]))
        self.wrote(args[1], frame, from_empty=source in self._written)

    def _putenv(self, args: tuple[Any, ...], frame: FrameType) -> None:
        if os.fsdecode(args[0]) == "PYTHONHASHSEED":
            self._note("environ", "os.environ", frame, f"PYTHONHASHSEED={os.fsdecode(args[1])}")

    def _connect(self, args: tuple[Any, ...], frame: FrameType) -> None:
        if isinstance(args[1], tuple):  # a socket in the file system stays on this machine
            self._note("network", "socket.connect", frame, str(args[1]))

    def _connect_database(self, args: tuple[Any, ...], frame: FrameType) -> None:
        path = database_path(args[0])
        name = os.fsdecode(args[0]) if path is None else shown(path, self._cwd)
        self._note("read", "sqlite3.connect", frame, name)


def _is_empty(path: str) -> bool:
    """Whether nothing is there that a write could keep: as in a file that is only a lock."""
    try:
        return not os.path.getsize(path)
    except OSError:
        return True


def _entry_name(frame: FrameType) -> str:
    """The library function that the user's code called, as it writes it: `torch.load`."""
    module = str(frame.f_globals.get("__name__", ""))
    package = module.partition(".")[0]
    code = frame.f_code
    called = getattr(code, "co_qualname", code.co_name)
    if "<" in called:
        return ""
    for owner in (sys.modules.get(package), sys.modules.get(module)):
        found: Any = owner
        for part in called.split("."):
            found = getattr(found, part, None)
        if callable(found):
            return f"{package if owner is sys.modules.get(package) else module}.{called}"
    return ""


def _watch_torch_writer(module: Any, files: _Files) -> None:
    writer = getattr(module, "_open_zipfile_writer", None)
    if writer is None:
        return

    def opened(name_or_buffer: Any) -> Any:
        if isinstance(name_or_buffer, (str, os.PathLike)):
            files.wrote(name_or_buffer, files.opener(), from_empty=True)
        return writer(name_or_buffer)

    module._open_zipfile_writer = opened
