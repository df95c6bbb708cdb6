"""Where a rank is, when it is asked: the process that started the run writes into a pipe in the folder of the rank's
evidence, and the rank writes down its line and its collectives. Nobody asks a run that goes on.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reprocheck.protocol import reading
from reprocheck.protocol.rank_folders import rank_folders

ASK_FILE = "ask"
"""A named pipe, there while the run lasts."""
PLACE_FILE = "place.json"
MOST_CALLS = 256
"""Collectives that a rank tells: the last ones."""
_MOST_PLACE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A collective that a rank has begun."""

    group: str
    number: int
    """Counted from 1 in its group."""
    kind: str
    """all_reduce, broadcast, ..."""
    inputs: str
    """Types and shapes of its tensors, as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a rank is."""

    rank: int
    groups: dict[str, int]
    """Collectives begun, by group."""
    calls: tuple[Call, ...]
    path: str
    """The line of the user's code that is at work; empty where it has come to its end."""
    line: int
    within: str
    """The innermost function at work."""


def folders_asked(run: Path) -> list[Path]:
    """The run itself, which may be a rank, and its ranks."""
    return [run, *(folder for _, _, folder in rank_folders(run))]


def ask(folder: Path) -> None:
    """Ask a rank; nothing where nobody listens."""
    with suppress(OSError):
        os.unlink(folder / PLACE_FILE)
    with suppress(OSError):
        number = os.open(folder / ASK_FILE, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                os.write(number, b"?")
        finally:
            os.close(number)


def listens(folder: Path) -> bool:
    """Whether there is a pipe to ask through."""
    with suppress(OSError):
        return stat.S_ISFIFO(os.lstat(folder / ASK_FILE).st_mode)
    return False


def remove_pipes(run: Path) -> None:
    """Once a run is over."""
    for folder in folders_asked(run):
        if listens(folder):
            with suppress(OSError):
                os.unlink(folder / ASK_FILE)


def read_place(folder: Path) -> Place | None:
    """What a rank answered; None where it did not, or nonsense."""
    try:
        plain = reading.table(reading.parse_json(reading.read_whole(folder / PLACE_FILE, _MOST_PLACE)))
        return Place(
            rank=reading.whole(plain["rank"]),
            groups={name: reading.whole(number) for name, number in reading.table(plain["groups"]).items()},
            calls=tuple(_calls(reading.items(plain["calls"]))),
            path=reading.text(plain["path"]),
            line=reading.whole(plain["line"]),
            within=reading.text(plain["within"]),
        )
    except (KeyError, OSError, ValueError):
        return None


def _calls(plain: list[object]) -> Iterator[Call]:
    for item in plain[-MOST_CALLS:]:
        call = reading.table(item)
        yield Call(
            group=reading.text(call["group"]),
            number=reading.whole(call["number"]),
            kind=reading.text(call["kind"]),
            inputs=reading.text(call["inputs"]),
        )
