"""Which files a run wrote, whoever wrote them: its folder is looked at before and after it.

The target, its children, a C library: all leave their files in the folder of the run. What the worker heard of (files
outside of the folder among them) is added when the evidence is read.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reprocheck.engine.file_contents import SQLITE_COMPANIONS, contents, is_database
from reprocheck.model import RunSpec
from reprocheck.protocol import EVIDENCE_FILE, EVIDENCE_FOLDER, FILES_FILE, file_digest
from reprocheck.protocol.reading import MOST_LINES, items, parse_json, read_whole, table, write_new

NOT_LOOKED_INTO = frozenset(
    {
        *(EVIDENCE_FOLDER, ".git", ".hg", ".svn", "node_modules", "__pycache__", ".mypy_cache", ".pytest_cache"),
        *(".ruff_cache", ".hypothesis", ".ipynb_checkpoints", ".tox", ".nox"),
    }
)
"""Folders of tools. So is any folder with a `pyvenv.cfg`."""
MOST_ENTRIES = 200_000
MOST_NAMED = 5

State = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """The files below a folder: path → size, times and inode."""

    states: dict[str, State]
    reason: str = ""
    """Why it is not all of them."""
    is_cut: bool = False
    """There were too many: which ones are here is chance."""


def scan(folder: Path, ours: Iterable[Path] = (), most: int = MOST_ENTRIES) -> Scan:
    """Look, read nothing. Links to folders are not followed, and nothing of `ours` is looked at."""
    states: dict[str, State] = {}
    own = {os.path.realpath(path) for path in ours}
    root = str(folder)
    start = len(root.rstrip(os.sep)) + 1
    todo = [root]
    unread: list[str] = []
    while todo:
        current = todo.pop()
        try:
            with os.scandir(current) as found:
                entries = list(found)
        except OSError as error:
            if current == root or not isinstance(error, FileNotFoundError):
                unread.append(current[start:] or ".")
            continue
        if current != root and any(entry.name == "pyvenv.cfg" for entry in entries):
            continue
        for entry in entries:
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in NOT_LOOKED_INTO and entry.path not in own:
                        todo.append(entry.path)
                    continue
                states[entry.path[start:]] = _state(entry)
        if len(states) > most:
            return Scan(states, f"the folder holds more than {most:,} files", is_cut=True)
    return Scan(states, f"cannot look into {_some(unread)}" if unread else "")


def _state(entry: os.DirEntry[str]) -> State:
    seen = entry.stat(follow_symlinks=False)
    own = state_of(seen)
    if entry.is_symlink():
        with suppress(OSError):
            own += state_of(entry.stat())
    return own


def state_of(seen: os.stat_result) -> State:
    """What changes when a file is written, replaced, or put in the place of another."""
    return seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino


@dataclass
class _Place:
    """One folder, in which runs follow each other or stand side by side."""

    last: Scan | None = None
    """As it was after the last run, if nothing has run there since."""
    active: set[str] = field(default_factory=set)
    touched: dict[str, None] = field(default_factory=dict)
    """What the runs of the audit wrote or removed here so far."""


class Folders:
    """The folders of the runs that `launch` makes."""

    def __init__(self) -> None:
        self._places: dict[Path, _Place] = {}
        self._before: dict[str, Scan] = {}
        self._shared: set[str] = set()
        """Runs alongside which others ran in the same folder."""
        self._outside: dict[str, None] = {}
        """What runs wrote elsewhere."""

    def before(self, spec: RunSpec) -> None:
        """A run is about to start."""
        place = self._places.get(spec.cwd)
        if place is None:
            place = self._places[spec.cwd] = _Place()
            for path in _touched(spec):
                (self._outside if os.path.isabs(path) else place.touched)[path] = None
        if place.active:
            self._shared |= {spec.id, *place.active}
        if _is_watched(spec):
            self._before[spec.id] = place.last or scan(spec.cwd, _ours(spec))
        place.last = None
        place.active.add(spec.id)

    def after(self, spec: RunSpec, is_complete: bool) -> None:
        """A run and everything that it started have ended: write down what it wrote."""
        place = self._places[spec.cwd]
        place.active.discard(spec.id)
        before = self._before.pop(spec.id, None)
        if before is None or not is_complete:
            return
        now = scan(spec.cwd, _ours(spec))
        if not place.active:
            place.last = now
        found = _Found(spec, before, now, spec.id in self._shared, place.touched, self._outside)
        with suppress(OSError):  # a full disk: then the files that the worker heard of are all there is
            write_new(spec.directory / FILES_FILE, json.dumps(found.plain()).encode())


def _is_watched(spec: RunSpec) -> bool:
    return spec.is_plain or spec.read_checkpoints


def _ours(spec: RunSpec) -> tuple[Path, ...]:
    """Folders of reprocheck that may lie in that of the run."""
    evidence = spec.directory.parent.parent.parent
    return (evidence, Path(spec.environment["TMPDIR"]).parents[1]) if spec.ambient.own_tmpdir else (evidence,)


def _touched(spec: RunSpec) -> Iterator[str]:
    """By earlier runs of this audit, in the same folder."""
    for path in sorted(spec.directory.parent.glob(f"*/{FILES_FILE}")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            plain = table(parse_json(read_whole(path, MOST_LINES)))
            here = plain["cwd"] == str(spec.cwd)
            paths = [*(str(file["path"]) for file in plain["files"]), *map(str, plain["outside"])]
            yield from (path for path in paths if here or os.path.isabs(path))


class _Found:
    """What one run wrote."""

    def __init__(
        self,
        spec: RunSpec,
        before: Scan,
        now: Scan,
        is_shared: bool,
        touched: dict[str, None],
        outside: dict[str, None],
    ) -> None:
        self._spec = spec
        self._decides = spec.read_checkpoints
        self._is_shared = is_shared
        self._missing: list[dict[str, Any]] = []
        self._files: list[dict[str, Any]] = []
        self._own = {str(file["path"]): file for file in files_seen(spec.directory)}
        self._outside = [path for path in self._own if os.path.isabs(path)]
        changed = [path for path, state in now.states.items() if before.states.get(path) != state]
        removed = [] if now.reason else [path for path in before.states if path not in now.states]
        is_cut = before.is_cut or now.is_cut
        for one in dict.fromkeys((one.reason, one.is_cut) for one in (before, now) if one.reason):
            self._miss("files", one[0], "start the audit in a smaller folder" if one[1] else "", is_result=one[1])
        if is_shared or is_cut:
            others = sorted(path for path in {*changed, *removed} if path not in self._own)
            if others and not is_cut:
                reason = f"runs side by side share the folder: which of them wrote {_some(others)} is not known"
                self._miss("files", reason, "--workdir fresh, or --jobs 1")
            changed, removed = [path for path in self._own if not os.path.isabs(path)], []
        for path in self._without_strangers(changed):
            self._add(path)
        self._files += [_without_contents(path, "removed") for path in removed]
        done = {file["path"] for file in self._files}
        if not (is_shared or is_cut):
            left = [path for path in touched if path not in done]
            self._files += [_without_contents(path, "found" if path in now.states else "absent") for path in left]
        for path in [] if is_shared else self._outside:  # written on since the worker looked: a buffer, a handler
            with suppress(OSError):
                if list(state_of(os.stat(path))) != self._own[path].get("state"):
                    self._add(path)
        left = [path for path in outside if path not in self._own]
        self._files += [_without_contents(path, "found" if os.path.lexists(path) else "absent") for path in left]
        touched.update(dict.fromkeys(done))
        outside.update(dict.fromkeys(self._outside))

    def plain(self) -> dict[str, Any]:
        """As it is written down."""
        return {
            "cwd": str(self._spec.cwd),
            "files": self._files,
            "outside": self._outside,
            "not_compared": self._missing,
        }

    def _miss(self, what: str, reason: str, help: str = "", *, is_result: bool = True) -> None:
        record = {"what": what, "reason": reason, "is_result": is_result and self._decides, "help": help}
        self._missing.append(record)

    def _without_strangers(self, changed: Iterable[str]) -> Iterator[str]:
        """Without files that a process has open that is none of the run's (those have all ended): a log of ours, ..."""
        changed = list(changed)
        unknown = {os.path.join(self._spec.cwd, path): path for path in changed if path not in self._own}
        strangers = {unknown[name] for name in _open_now(unknown)} if unknown else set()
        unseen = sorted(path for path in strangers if not _is_own_stream(os.path.join(self._spec.cwd, path)))
        if unseen:
            reason = f"another process has {_some(unseen)} open"
            self._miss("files", reason, is_result=False)
        databases = {path for path in changed if is_database(os.path.join(self._spec.cwd, path))}
        for path in changed:
            base = next((path.removesuffix(end) for end in SQLITE_COMPANIONS if path.endswith(end)), path)
            if path not in strangers and (base == path or base not in databases):
                yield path

    def _add(self, path: str) -> None:
        whole = os.path.join(self._spec.cwd, path)
        own = self._own.get(path, {})
        try:
            seen = os.stat(whole)
            if not stat.S_ISREG(seen.st_mode):
                self._miss(f"file {path}", "it is no regular file")
                return
            # Side by side, what is there now may be of the other run.
            is_known = self._is_shared or own.get("state") == list(state_of(seen))
            digest = str(own["digest"]) if own and is_known else file_digest(whole)
            every = [*map(str, own.get("contents", ()))] if is_known else []
            if (self._decides or seen.st_size <= SMALL) and not self._is_shared:
                every += [read] if (read := contents(whole)) else []
        except FileNotFoundError:
            if os.path.islink(whole):
                self._files.append({**_without_contents(path, "link"), "digest": f"link to {os.readlink(whole)}"})
            return
        except OSError as error:
            self._miss(f"file {path}", f"it cannot be read: {error.strerror or error}")
            return
        size = int(own["size"]) if self._is_shared else seen.st_size
        kind = "shared" if self._is_shared else ""
        self._files.append({"path": path, "size": size, "digest": digest, "contents": every, "kind": kind})


SMALL = 16 * 2**20
"""Bytes of a file that is read by value also where files do not decide: the first line says that they differ."""


def _without_contents(path: str, kind: str) -> dict[str, Any]:
    return {"path": path, "size": 0, "digest": "", "kind": kind}


def files_seen(folder: Path) -> list[dict[str, Any]]:
    """The files that the worker of a run heard of, from its evidence."""
    with suppress(OSError, ValueError, KeyError):
        for line in read_whole(folder / EVIDENCE_FILE, MOST_LINES).splitlines():
            if line.startswith(b'{"record": "files"'):
                files = map(table, items(table(parse_json(line))["files"]))
                return [file for file in files if isinstance(file["path"], str)]
    return []


def _is_own_stream(path: str) -> bool:
    """Whether this command's own output goes to a file: `reprocheck run train.py > report.txt`."""
    with suppress(OSError):
        seen = os.stat(path)
        for number in (1, 2):
            with suppress(OSError):
                if os.path.samestat(seen, os.fstat(number)):
                    return True
    return False


def _open_now(paths: Iterable[str]) -> set[str]:
    """Which of these files some process has open (Linux)."""
    wanted = {os.path.realpath(path): path for path in paths}
    found: set[str] = set()
    if not sys.platform.startswith("linux"):
        return found
    for process in os.listdir("/proc"):
        if process.isdigit():
            with suppress(OSError):
                folder = f"/proc/{process}/fd"
                for number in os.listdir(folder):
                    with suppress(OSError):
                        path = wanted.get(os.readlink(f"{folder}/{number}"))
                        if path is not None:
                            found.add(path)
    return found


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
