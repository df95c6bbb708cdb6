"""Which of the differences between two traces matter: each is followed from where it arose to what it reached. Pure.

Memory that nobody filled differs between any two runs and means nothing until something depends on it. So a
difference is only a suspect at first. It is one that matters when a step of an optimizer or the Python code of the
target took it in, or when a result that it led to waits to be read where the traces end. Where none does, it is one
that a model was called with.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from reprocheck.diagnosis.localization.pairs import Entry, Op, Pair
from reprocheck.evidence.trace_file import Event, Trace
from reprocheck.protocol.trace_format import (
    BLANK,
    COMPILED_CALL,
    GENERATOR,
    INPUT,
    MODULE_CALL,
    OUTPUT,
    ROLE_SHIFT,
    SCALARS,
    STEP,
    WRITTEN,
)

MOST_PAIRS = 200_000
"""Pairs looked at after the first difference."""
TAKES_MEMORY = frozenset({"aten::set_"})
"""Operations by which a tensor takes over memory that others filled: a file that is loaded, a worker's batch. Such
batches come in the order in which workers are done, some of them for nothing: until one is read, it has no effect."""
_COLLECTIVES = ("c10d::", "_c10d_functional::")
_BARRIER = "barrier"
_WHOLE = 1 << 62

Couple = tuple["Entry | None", "Entry | None"]


def is_collective(op: str) -> bool:
    """Whether processes exchange tensors in this operation: what comes out also depends on the others."""
    return op.startswith(_COLLECTIVES)


@dataclass(slots=True, eq=False)
class Suspect:
    """A difference that nothing before it explains."""

    kind: str
    """op, generator, input, scalars or extra."""
    pair: Pair
    a: Entry | None = None
    b: Entry | None = None
    """The records that differ."""
    is_doubtful: bool = False
    """It may be memory that nobody filled and nobody reads."""
    matters: bool = False
    rejoined: bool = False
    """Equal values were read where it had led: it may be another way to the same."""
    called: bool = False
    """A model was called with it: that is observed, whatever becomes of it."""
    instead: Op | None = None
    """extra: what the other run did at that point."""
    last: int = 0
    """extra: number of its last pair."""
    results: set[int] = field(default_factory=set)
    """Memory (in the first run) that holds what differs and was not read since."""


class Court:
    """Takes the pairs in run order and finds the suspects."""

    def __init__(self, a: Trace, b: Trace) -> None:
        self._a = a
        self._b = b
        self.suspects: list[Suspect] = []
        self._memory: tuple[dict[int, Suspect], dict[int, Suspect]] = ({}, {})
        """For each run: memory whose contents differ, and because of whom."""
        self._sizes: dict[int, int] = {}
        """Elements that differ in a memory of the first run, at most."""
        self._generators: dict[int, Suspect] = {}
        self._compiled: dict[int, Suspect] = {}
        self._python: Suspect | None = None
        """Whose values the Python code of the target read."""
        self._blank = {int(storage) for storage in a.records["storage"][a.records["role"] >> ROLE_SHIFT == BLANK]}
        self._count = 0

    def judge(self, streams: Iterable[Iterator[Pair]]) -> Suspect | None:
        """The first suspect that matters; None when none does."""
        for pair in heapq.merge(*streams, key=_position):
            self._count += 1
            if self._count > MOST_PAIRS:
                break
            self._hear(pair)
            if self.suspects and (self.suspects[0].matters or (self.suspects[0].results and not self._a.inputs)):
                break
        return self._verdict()

    def _verdict(self) -> Suspect | None:
        guilty = [suspect for suspect in self.suspects if suspect.matters or suspect.results]
        if guilty:
            return min(guilty, key=lambda one: one.rejoined)  # of equals the first
        return next((suspect for suspect in self.suspects if suspect.called or suspect.kind == "extra"), None)

    def _hear(self, pair: Pair) -> None:
        self._complete_extra(pair)
        if pair.a is None or pair.b is None or pair.lost:
            self._hear_extra(pair)
            return
        event = self._a.events[pair.a.event]
        if event.kind == "step" or (is_collective(event.op) and _BARRIER in event.op):
            return  # the tensor of a barrier is a dummy
        went_in: list[Couple] = []
        came_out: list[Couple] = []
        for x, y in _entries(pair.a, pair.b):
            entry = x or y
            assert entry is not None
            if entry.role in (BLANK, STEP):
                continue
            if x is None or y is None or (x.digest, x.form) != (y.digest, y.form):
                if is_collective(event.op) and x is not None and x.role == INPUT and x.storage in self._blank:
                    continue  # a buffer to receive into: nobody reads what it holds before
                (came_out if entry.role in (OUTPUT, WRITTEN) else went_in).append((x, y))
            else:
                self._agreed(x, y)
        if not went_in and not came_out:
            return
        guilty = [self._explain(pair, event, x, y) for x, y in went_in]
        if not came_out:
            self._took_in(pair, event, guilty)
            return
        if event.kind == COMPILED_CALL and pair.a.key in self._compiled:
            guilty.append(self._compiled.pop(pair.a.key))
        source = self._first(guilty) if guilty else self._accuse(self._of_operation(pair, came_out))
        unfilled = {x.storage for x, _ in went_in if x is not None and x.storage in self._blank}
        for x, y in came_out:
            self._mark(source, x, y)
            if x is None or x.storage in unfilled or (not guilty and source.is_doubtful):
                continue
            if event.op in TAKES_MEMORY:
                continue
            source.results.add(x.storage)
            source.matters = source.matters or (event.phase == "optimizer" and x.role == WRITTEN)

    def _of_operation(self, pair: Pair, came_out: list[Couple]) -> Suspect:
        """An operation with equal inputs. Further outputs, if only they differ, may be memory that nothing reads."""
        suspect = Suspect("op", pair, *came_out[0])
        suspect.is_doubtful = all(x is not None and x.role == OUTPUT and x.place > 0 for x, _ in came_out)
        return suspect

    def _first(self, guilty: list[Suspect]) -> Suspect:
        """To whom a difference is put down that has several reasons."""
        return min(guilty, key=lambda one: (one.is_doubtful, one.rejoined, self.suspects.index(one)))

    def _explain(self, pair: Pair, event: Event, x: Entry | None, y: Entry | None) -> Suspect:
        """Whom a difference in what went in is due to: an earlier suspect, or a new one."""
        entry = x or y
        assert entry is not None
        if entry.role == GENERATOR:
            known = self._generators.get(entry.place) or self._python
            if known is None:
                known = self._accuse(Suspect("generator", pair, x, y))
            self._generators[entry.place] = known
            return known
        if entry.role == SCALARS:
            known = self._python or self._accuse(Suspect("scalars", pair, x, y))
            self._mark(known, x, y, _WHOLE)
            return known
        for side, record in zip(self._memory, (x, y), strict=True):
            if record is not None and record.storage in side:
                suspect = side[record.storage]
                if x is not None:
                    suspect.results.discard(x.storage)
                return suspect
        suspect = self._accuse(Suspect("input", pair, x, y))
        suspect.is_doubtful = x is not None and x.storage in self._blank
        self._mark(suspect, x, y)
        return suspect

    def _took_in(self, pair: Pair, event: Event, guilty: list[Suspect]) -> None:
        """Nothing that came out differs: no effect, unless Python itself took the value."""
        assert pair.a is not None
        if event.kind == COMPILED_CALL and guilty:
            self._compiled[pair.a.key] = guilty[0]
        if event.kind == MODULE_CALL and guilty:
            self._first(guilty).called = True
        gave_tensors = any(entry.role in (OUTPUT, WRITTEN) for entry in pair.a.entries)
        if event.kind not in (MODULE_CALL, COMPILED_CALL) and not gave_tensors and guilty:
            read = [entry for entry in pair.a.entries if entry.role == INPUT]
            if read and event.op != "aten::lift_fresh":
                self._python = self._first(guilty)
                self._python.matters = True

    def _mark(self, suspect: Suspect, x: Entry | None, y: Entry | None, elements: int = 0) -> None:
        for side, record in zip(self._memory, (x, y), strict=True):
            if record is not None and record.storage:
                side[record.storage] = suspect
        if x is not None:
            self._sizes[x.storage] = max(self._sizes.get(x.storage, 0), x.elements, elements)

    def _agreed(self, x: Entry, y: Entry) -> None:
        """A tensor that is equal: what differed in its memory is overwritten, if it covers all of it."""
        if x.role == INPUT:
            for side, record in zip(self._memory, (x, y), strict=True):
                if record.storage in side:
                    side[record.storage].rejoined = True
        suspect = self._memory[0].get(x.storage)
        if suspect is None:
            return
        suspect.results.discard(x.storage)
        if x.elements >= self._sizes.get(x.storage, 0):
            for side, record in zip(self._memory, (x, y), strict=True):
                side.pop(record.storage, None)

    def _hear_extra(self, pair: Pair) -> None:
        before = self.suspects[-1] if self.suspects else None
        follows = before is not None and before.kind == "extra" and before.last == self._count - 1
        suspect = before if follows and before is not None else self._python
        if suspect is None:
            suspect = self._accuse(Suspect("extra", pair, instead=pair.b if pair.a is not None else None))
        suspect.last = self._count
        suspect.matters = suspect.matters or pair.lost
        for op, side in zip((pair.a, pair.b), self._memory, strict=True):
            for entry in () if op is None else op.entries:
                if entry.role in (OUTPUT, WRITTEN) and entry.storage:
                    side[entry.storage] = suspect
                elif entry.role == GENERATOR:
                    self._generators.setdefault(entry.place, suspect)

    def _complete_extra(self, pair: Pair) -> None:
        """What follows an operation that only one run did is what the other one did in its place."""
        before = self.suspects[-1] if self.suspects else None
        if before is not None and before.kind == "extra" and before.instead is None:
            before.instead = pair.b if before.pair.a is not None else pair.a

    def _accuse(self, suspect: Suspect) -> Suspect:
        suspect.last = self._count
        self.suspects.append(suspect)
        return suspect


def _position(pair: Pair) -> int:
    op = pair.a or pair.b
    return 0 if op is None else op.position


def _entries(a: Op, b: Op) -> Iterator[Couple]:
    """Records of one operation by role and index; a list of tensors may be longer in one run."""
    if [(x.role, x.place) for x in a.entries] == [(y.role, y.place) for y in b.entries]:
        yield from zip(a.entries, b.entries, strict=True)
        return
    left, right = ({(entry.role, entry.place): entry for entry in op.entries} for op in (a, b))
    for key in sorted(left.keys() | right.keys()):
        yield left.get(key), right.get(key)
