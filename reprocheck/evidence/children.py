"""What child processes of a run did that was not observed, by the marks that they left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from reprocheck.model import NotCompared
from reprocheck.protocol.child_marks import CALLED, CHILDREN_FILE, FOLLOWED, MAPPED, TRAINED
from reprocheck.protocol.reading import open_regular

MOST_BYTES = 1 << 22


def children_of(folder: Path) -> tuple[NotCompared, ...]:
    """What a run's child processes did that was not observed."""
    marks: dict[str, set[int]] = {}
    ranks: dict[int, int] = {}
    for pid, how, rank in _marks(folder):
        marks.setdefault(how, set()).add(pid)
        if rank is not None:
            ranks[pid] = rank
    trained = marks.get(TRAINED, set()) | (marks.get(MAPPED, set()) - marks.get(FOLLOWED, set()))
    called = marks.get(CALLED, set()) - trained
    told = []
    if trained:
        told.append(
            NotCompared(
                what=f"{_processes(trained)} that used torch{_of_ranks(trained, ranks)}",
                reason="only the process that runs the target is observed",
                is_result=True,
                help="audit what a child runs as a target of its own, or train in the main process",
            )
        )
    if called:
        reason = "what it gives back is compared where the target uses it"
        told.append(NotCompared(what=f"{_processes(called)} that called a model", reason=reason))
    return tuple(told)


def _processes(pids: set[int]) -> str:
    return f"{len(pids)} child process{'es' if len(pids) > 1 else ''}"


def _of_ranks(pids: set[int], known: dict[int, int]) -> str:
    """Which ranks of a distributed training they are, where all are known."""
    found = sorted({known[pid] for pid in pids if pid in known})
    if not found or not pids <= known.keys():
        return ""
    if len(found) > 2 and found[-1] - found[0] == len(found) - 1:
        return f" (ranks {found[0]} to {found[-1]})"
    text = ", ".join(map(str, found[:-1])) + (" and " if found[1:] else "") + str(found[-1])
    return f" (rank{'s' if found[1:] else ''} {text})"


def _marks(folder: Path) -> Iterator[tuple[int, str, int | None]]:
    try:
        with open_regular(folder / CHILDREN_FILE) as file:
            lines = file.read(MOST_BYTES).splitlines()
    except OSError:
        return
    for line in lines:
        with suppress(ValueError, TypeError, KeyError):
            found = json.loads(line)
            rank = found.get("rank")
            yield int(found["pid"]), str(found["how"]), rank if type(rank) is int else None
