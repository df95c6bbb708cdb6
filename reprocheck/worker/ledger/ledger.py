"""The ledger of a run: every use of a source from outside, with the line of the user's code that made it.

A line goes to disk when a use is first seen, and again when its count has grown tenfold and at the end: so forked
children, which nobody asks at their end, and runs that are killed leave theirs, too. Taking down must never change
what the target computes, nor raise into it.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from threading import get_ident
from types import CodeType, FrameType
from typing import Any

from reprocheck.protocol import LEDGER_FILE
from reprocheck.worker.bootstrap.seeding import GENERATORS
from reprocheck.worker.inputs.own_file import append
from reprocheck.worker.ledger.callers import OURS, USER, Callers, is_importing
from reprocheck.worker.ledger.entries import Entry, Instruction, Source, instruction
from reprocheck.worker.ledger.freeze import Frozen
from reprocheck.worker.ledger.put_back import PutBack
from reprocheck.worker.ledger.stack import stack_of
from reprocheck.worker.ranks.seeders import WRAPPER

MOST_ENTRIES = 10_000
MOST_VALUES = 64
"""Distinct values (paths) taken down from one place."""
MOST_CALLERS = 3
"""Lines of the user's code, from the inside out, by which uses are distinguished."""
MOST_WALKS = 1_000
"""Calls of one library instruction whose way back to the user's code is looked at; later ones are only counted."""
MOST_CHARACTERS = 300


class Ledger:
    """The uses seen by this process, and their file."""

    def __init__(self, folder: Path, cwd: Path, callers: Callers, frozen: Frozen, steps: Callable[[], int]) -> None:
        self.callers = callers
        self.frozen = frozen
        self.steps = steps
        self.writes = True
        self.on_event: Callable[[str, tuple[Any, ...]], None] = lambda event, args: None
        """What handles these audit events of this process."""
        self.events: frozenset[str] = frozenset()
        self.at_close: list[Callable[[], None]] = []
        """What has a last word, before the counts are written."""
        self._file = str(folder / LEDGER_FILE)
        self._cwd = str(cwd)
        self._entries: dict[Any, Entry] = {}
        self._put_back: dict[str, PutBack] = {}
        self._values: dict[Any, int] = {}
        self._walks: dict[Any, int] = {}
        self._known: list[dict[Instruction, Entry | None]] = []
        self._modules: dict[int, Any] = {}
        """What is known by its identity has to stay alive."""
        self._orders = count()
        self.in_child = False
        self._pid = os.getpid()
        self._closed = False
        os.register_at_fork(after_in_child=self._forked)

    def source(self, **fields: Any) -> Source:
        """A source of this ledger."""
        known: dict[Instruction, Entry | None] = {}
        self._known.append(known)
        unseeded = "unseeded" in (fields["kind"], fields.get("item"))
        is_shared = fields["kind"] in ("seed", "draw") and fields.get("generator") in GENERATORS
        put_back = self.put_back(fields["generator"]) if is_shared else None
        return Source(known=known, by_caller=unseeded, put_back=put_back, **fields)

    def put_back(self, generator: str) -> PutBack:
        """States of a generator that processes share."""
        if generator not in self._put_back:
            self._put_back[generator] = PutBack(self.take_back)
        return self._put_back[generator]

    def use(self, source: Source, frame: FrameType, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Entry | None:
        """Take down one call of `source` from `frame`; its entry, or None where it does not count."""
        try:
            entry = source.known[frame.f_lasti, frame.f_lineno, id(frame.f_globals)]
        except KeyError:
            entry = self._meet(source, frame, args, kwargs)
        else:
            if entry is not None:
                entry.count += 1
                if entry.count >= entry.due or get_ident() not in entry.threads:
                    self._update(entry)
        if entry is not None and source.put_back is not None:
            source.put_back.used(entry)
        return entry

    def _meet(self, source: Source, frame: FrameType, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Entry | None:
        try:
            value = "" if source.value is None else _short(source.value(args, kwargs))
            return self.note(source, frame, value)
        except Exception:  # a value without a text, an argument of another kind: not worth the target's life
            return None

    def see(self, source: Source, frame: FrameType, value: Callable[[], str], generator: str) -> None:
        """Take down one call with a value that is worked out only where it is still of interest."""
        known = source.known.get(instruction(frame))
        if known is not None:
            self._again(known)
        else:
            with contextlib.suppress(Exception):
                self.note(source, frame, _short(value()), generator)

    def note(self, source: Source, frame: FrameType, value: str = "", generator: str = "") -> Entry | None:
        """As `use`, with the value at hand."""
        if frame.f_code is WRAPPER and frame.f_back is not None:
            frame = frame.f_back
        owner = self.callers.owner(frame.f_code)
        called = instruction(frame)
        self._modules[id(frame.f_globals)] = frame.f_globals
        if owner == OURS or not source.reaches(owner):
            source.known[called] = None
            return None
        user, imports = (frame, False) if owner == USER else self.callers.user_frame(frame.f_back)
        if imports and not (source.kind in ("seed", "draw") and source.generator in GENERATORS):
            return None  # a library that is being imported minds its own business
        entry = self._entry(source, user, owner, value, generator or source.generator, frame)
        if entry is not None:
            self._again(entry)
            if self._is_settled(source, owner, called):
                source.known[called] = entry
        return entry

    def close(self) -> None:
        """The end of the run: counts as they are now."""
        if not self._closed and not self.in_child:
            self._closed = True
            for act in self.at_close:
                with contextlib.suppress(Exception):
                    act()
            self._write([entry for entry in self._entries.values() if entry.count != entry.saved])

    def _is_settled(self, source: Source, owner: str, called: Instruction) -> bool:
        if owner == USER and not source.by_value and not source.by_caller:
            return True
        walks = self._walks[source.name, called] = self._walks.get((source.name, called), 0) + 1
        return walks >= MOST_WALKS

    def _entry(
        self, source: Source, user: FrameType | None, owner: str, value: str, generator: str, frame: FrameType
    ) -> Entry | None:
        place = None if user is None else (user.f_code, user.f_lineno or user.f_code.co_firstlineno)
        key: Any = (source.kind, source.name, generator, None if place is None else (id(place[0]), place[1]))
        if source.by_caller:
            key = (*key, self._callers_of(user))
        if source.by_value and value:
            seen = self._values.get(key, 0)
            if (*key, value) in self._entries:
                key = (*key, value)
            elif seen < MOST_VALUES:
                self._values[key] = seen + 1
                key = (*key, value)
        entry = self._entries.get(key)
        if entry is not None or len(self._entries) >= MOST_ENTRIES:
            return entry
        path, line = self._location(place)
        entry = Entry(
            kind=source.kind,
            name=source.name,
            generator=generator,
            place=place,
            library=owner,
            value=value,
            step=self.steps(),
            order=next(self._orders),
            threads=set(),
            in_import=is_importing(frame),
            frozen=self.frozen.holds(source.item or source.kind, path, line),
            written=source.written,
            stack=stack_of(frame, self.callers.owner, self._cwd) if self._is_of_interest(source, owner) else [],
        )
        return self._entries.setdefault(key, entry)

    def _is_of_interest(self, source: Source, owner: str) -> bool:
        """Whether the calls that led to it may show what to change; a library that draws may take a seed itself."""
        return source.by_caller or source.kind == "order" or (source.kind == "draw" and owner != USER)

    def _callers_of(self, user: FrameType | None) -> Any:
        """What distinguishes the ways to a line of the user's code: the next lines outwards."""
        places: list[tuple[int, int | None]] = []
        while user is not None and len(places) < MOST_CALLERS:
            user, _ = self.callers.user_frame(user.f_back)
            if user is not None:
                places.append((id(user.f_code), user.f_lineno))
        return tuple(places)

    def take_back(self, entry: Entry) -> None:
        """The last call was not what it looked like."""
        entry.count -= 1
        if not entry.count and entry.saved:
            self._write([entry])

    def _again(self, entry: Entry) -> None:
        entry.count += 1
        if entry.count >= entry.due or get_ident() not in entry.threads:
            self._update(entry)

    def _update(self, entry: Entry) -> None:
        entry.threads.add(get_ident())
        if entry.count >= entry.due:
            entry.due *= 10
        self._write([entry])

    def _location(self, place: tuple[CodeType, int] | None) -> tuple[str, int]:
        """A script's file is named as it was typed, and the target may have changed its folder since."""
        return ("", 0) if place is None else (os.path.join(self._cwd, place[0].co_filename), place[1])

    def _write(self, entries: list[Entry]) -> None:
        lines = []
        for entry in entries:
            if not (self.writes and entry.written):
                continue
            entry.saved = entry.count
            path, line = self._location(entry.place)
            plain = {
                "pid": self._pid,
                "order": entry.order,
                "kind": entry.kind,
                "name": entry.name,
                "generator": entry.generator,
                "path": os.path.normpath(path) if path else "",
                "line": line,
                "library": entry.library,
                "value": entry.value,
                "count": entry.count,
                "step": entry.step,
                "threads": len(entry.threads),
                "in_import": entry.in_import,
                "in_child": self.in_child,
            }
            if entry.stack:
                plain["stack"] = entry.stack
            lines.append(json.dumps(plain) + "\n")
        if not lines:
            return
        with contextlib.suppress(OSError):  # opened again each time: a target may close every descriptor
            append(self._file, "".join(lines).encode("utf-8", "backslashreplace"))

    def become_child(self) -> None:
        """This process was started by the target: what it uses is its own."""
        self.in_child = True
        self._pid = os.getpid()

    def begin_task(self) -> None:
        """This process of a pool has taken a task: which one takes which is chance, and constant answers must not
        depend on it."""
        if self.in_child:
            self.frozen.restart()
            for entry in self._entries.values():
                entry.before = entry.count

    def become_own(self, folder: Path, steps: Callable[[], int]) -> None:
        """This child is a rank: what it has used by now and will use is written into a folder of its own."""
        self._file, self.steps = str(folder / LEDGER_FILE), steps
        self.in_child = False
        self._write(list(self._entries.values()))

    def _forked(self) -> None:
        self._entries.clear()
        self._values.clear()
        self._walks.clear()
        for known in self._known:
            known.clear()
        self._closed = False
        self.become_child()


def in_main_thread() -> bool:
    """Whether the caller runs in the main thread of its process."""
    return threading.current_thread() is threading.main_thread()


def _short(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "..."
