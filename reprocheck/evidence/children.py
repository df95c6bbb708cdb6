"""What child processes of a run did that was not observed, by the marks that they left."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from reprocheck.model import NotCompared
from reprocheck.protocol.child_marks import (
    AGAIN,
    CALLED,
    CHILDREN_FILE,
    FOLLOWED,
    LATE,
    LATE_FILE,
    MAPPED,
    STARTED,
    TRAINED,
    WROTE,
)
from reprocheck.protocol.reading import open_regular

MOST_BYTES = 1 << 22


def children_of(folder: Path, observed: Collection[int] = ()) -> tuple[NotCompared, ...]:
    """What a run's child processes did that was not observed. `observed`: the numbers of those that were."""
    marks: dict[str, set[int]] = {}
    ranks: dict[int, int] = {}
    for pid, how, rank in _marks(folder):
        marks.setdefault(how, set()).add(pid)
        if rank is not None:
            ranks[pid] = rank
    mapped = marks.get(MAPPED, set())
    trained = (marks.get(TRAINED, set()) | (mapped - marks.get(FOLLOWED, set()))) - set(observed)
    called = marks.get(CALLED, set()) - trained - set(observed)
    wrote = marks.get(WROTE, set()) - trained - set(observed)
    started = len(marks.get(STARTED, set())) - len(mapped | set(observed))
    not_compared = []
    if LATE in marks:
        reason = (
            "it came after the end of the target: in an exit handler, a finalizer or a thread that was left running"
        )
        help = "train before the target ends"
        not_compared.append(NotCompared(what="training after the end", reason=reason, is_result=True, help=help))
    if LATE_FILE in marks:
        reason = "an exit handler or a finalizer wrote them, after the end of the target"
        what = "files written outside of the folder after the end"
        help = "write them before the target ends, or in its folder"
        not_compared.append(NotCompared(what=what, reason=reason, is_result=True, help=help))
    if AGAIN in marks:
        reason = "only what comes after the last start is observed"
        help = "start the script again before it trains, or let it end"
        what = "training before the script started itself again"
        not_compared.append(NotCompared(what=what, reason=reason, is_result=True, help=help))
    if trained:
        ranked = _of_ranks(trained, ranks)
        not_compared.append(_processes(len(trained), "used torch", _UNSEEN, is_result=True, which=ranked))
    if started > 0:
        not_compared.append(_processes(started, "ran Python", _UNSEEN, is_result=True))
    if wrote:
        not_compared.append(_processes(len(wrote), "wrote files outside of the folder", _UNSEEN, is_result=True))
    if called:
        reason = "what it gives back is compared where the target uses it"
        not_compared.append(_processes(len(called), "called a model", reason))
    return tuple(not_compared)


_UNSEEN = "only the process that runs the target is observed, and ranks of a distributed training"


def _processes(count: int, did: str, reason: str, *, is_result: bool = False, which: str = "") -> NotCompared:
    what = f"{count} child process{'es' if count > 1 else ''} that {did}{which}"
    help = "audit what a child runs as a target of its own, or train in the main process" if is_result else ""
    return NotCompared(
        what=what, reason=reason, is_result=is_result, help=help, kind=f"children that {did}", count=count
    )


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
