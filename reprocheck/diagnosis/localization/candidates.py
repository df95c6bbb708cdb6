"""Which of the differences between two traces matter: each is followed from where it arose to what it reached. Pure.

Uninitialized memory differs between any two runs and means nothing until something depends on it. So a
difference is only a candidate at first. It is one that matters when a step of an optimizer or the Python code of the
target took it in, or when a result that it led to waits to be read where the traces end. Where none does, it is one
that a model was called with.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from reprocheck.diagnosis.localization.pairs import Entry, Op, Pair
from reprocheck.evidence.trace_file import Event, Trace
from reprocheck.model.kinds import OriginKind
from reprocheck.protocol.trace_format import (
    BLANK,
    COMPILED_CALL,
    GENERATOR,
    INPUT,
    MODULE_CALL,
    OUTPUT,
    ROLE_SHIFT,
    SCALARS,
    START,
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
class Candidate:
    """A difference that nothing before it explains."""

    kind: OriginKind
    """op, generator, input, scalars or extra."""
    pair: Pair
    a: Entry | None = None
    b: Entry | None = None
    """The records that differ."""
    is_doubtful: bool = False
    """It may be uninitialized memory that nobody reads."""
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


class CandidateSearch:
    """Takes the pairs in run order and finds the candidates."""

    def __init__(self, a: Trace, b: Trace) -> None:
        self._a = a
        self._b = b
        self.candidates: list[Candidate] = []
        self._memory: tuple[dict[int, Candidate], dict[int, Candidate]] = ({}, {})
        """For each run: memory whose contents differ, and because of whom."""
        self._sizes: dict[int, int] = {}
        """Elements that differ in a memory of the first run, at most."""
        self._generators: dict[int, Candidate] = {}
        self._compiled: dict[int, Candidate] = {}
        self._python: Candidate | None = None
        """Whose values the Python code of the target read."""
        self._unfilled = _Unfilled(a)
        self._count = 0

    def judge(self, streams: Iterable[Iterator[Pair]]) -> Candidate | None:
        """The first candidate that matters; None when none does."""
        for pair in heapq.merge(*streams, key=_position):
            self._count += 1
            if self._count > MOST_PAIRS:
                break
            self._read(pair)
            if self.candidates and (self.candidates[0].matters or (self.candidates[0].results and not self._a.inputs)):
                break
        return self._verdict()

    def _verdict(self) -> Candidate | None:
        responsible = [candidate for candidate in self.candidates if candidate.matters or candidate.results]
        if responsible:
            return min(responsible, key=lambda one: one.rejoined)  # of equals the first
        return next(
            (candidate for candidate in self.candidates if candidate.called or candidate.kind == OriginKind.EXTRA), None
        )

    def _read(self, pair: Pair) -> None:
        self._complete_extra(pair)
        if pair.a is None or pair.b is None or pair.lost:
            self._read_extra(pair)
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
                if is_collective(event.op) and x is not None and x.role == INPUT and x.storage in self._unfilled:
                    continue  # a buffer to receive into: nobody reads what it holds before
                (came_out if entry.role in (OUTPUT, WRITTEN) else went_in).append((x, y))
            else:
                self._agreed(x, y)
        if not went_in and not came_out:
            return
        responsible = [self._explain(pair, event, x, y) for x, y in went_in]
        if not came_out:
            self._took_in(pair, event, responsible)
            return
        if event.kind == COMPILED_CALL and pair.a.key in self._compiled:
            responsible.append(self._compiled.pop(pair.a.key))
        source = self._first(responsible) if responsible else self._accuse(self._of_operation(pair, came_out))
        unfilled = {x.storage for x, _ in went_in if x is not None and self._unfilled.at(x.storage, pair.a.position)}
        for x, y in came_out:
            self._mark(source, x, y)
            if x is None or x.storage in unfilled or (not responsible and source.is_doubtful):
                continue
            if event.op in TAKES_MEMORY:
                continue
            source.results.add(x.storage)
            source.matters = source.matters or (event.phase == "optimizer" and x.role == WRITTEN)

    def _of_operation(self, pair: Pair, came_out: list[Couple]) -> Candidate:
        """An operation with equal inputs. Further outputs, if only they differ, may be memory that nothing reads."""
        candidate = Candidate(OriginKind.OP, pair, *came_out[0])
        candidate.is_doubtful = all(x is not None and x.role == OUTPUT and x.place > 0 for x, _ in came_out)
        return candidate

    def _first(self, responsible: list[Candidate]) -> Candidate:
        """To whom a difference is put down that has several reasons."""
        return min(responsible, key=lambda one: (one.is_doubtful, one.rejoined, self.candidates.index(one)))

    def _explain(self, pair: Pair, event: Event, x: Entry | None, y: Entry | None) -> Candidate:
        """Whom a difference in what went in is due to: an earlier candidate, or a new one."""
        entry = x or y
        assert entry is not None
        if entry.role == GENERATOR:
            known = self._generators.get(entry.place) or self._python
            if known is None:
                known = self._accuse(Candidate(OriginKind.GENERATOR, pair, x, y))
            self._generators[entry.place] = known
            return known
        if entry.role == SCALARS:
            known = self._python or self._accuse(Candidate(OriginKind.SCALARS, pair, x, y))
            self._mark(known, x, y, _WHOLE)
            return known
        for side, record in zip(self._memory, (x, y), strict=True):
            if record is not None and record.storage in side:
                candidate = side[record.storage]
                if x is not None:
                    candidate.results.discard(x.storage)
                return candidate
        candidate = self._accuse(Candidate(OriginKind.INPUT, pair, x, y))
        candidate.is_doubtful = x is not None and pair.a is not None and self._unfilled.at(x.storage, pair.a.position)
        self._mark(candidate, x, y)
        return candidate

    def _took_in(self, pair: Pair, event: Event, responsible: list[Candidate]) -> None:
        """Nothing that came out differs: no effect, unless Python itself took the value."""
        assert pair.a is not None
        if event.kind == COMPILED_CALL and responsible:
            self._compiled[pair.a.key] = responsible[0]
        if event.kind == MODULE_CALL and responsible:
            self._first(responsible).called = True
        gave_tensors = any(entry.role in (OUTPUT, WRITTEN) for entry in pair.a.entries)
        if event.kind not in (MODULE_CALL, COMPILED_CALL) and not gave_tensors and responsible:
            read = [entry for entry in pair.a.entries if entry.role == INPUT]
            if read and event.op != "aten::lift_fresh":
                self._python = self._first(responsible)
                self._python.matters = True

    def _mark(self, candidate: Candidate, x: Entry | None, y: Entry | None, elements: int = 0) -> None:
        for side, record in zip(self._memory, (x, y), strict=True):
            if record is not None and record.storage:
                side[record.storage] = candidate
        if x is not None:
            self._sizes[x.storage] = max(self._sizes.get(x.storage, 0), x.elements, elements)

    def _agreed(self, x: Entry, y: Entry) -> None:
        """A tensor that is equal: what differed in its memory is overwritten, if it covers all of it."""
        if x.role == INPUT:
            for side, record in zip(self._memory, (x, y), strict=True):
                if record.storage in side:
                    side[record.storage].rejoined = True
        candidate = self._memory[0].get(x.storage)
        if candidate is None:
            return
        candidate.results.discard(x.storage)
        if x.elements >= self._sizes.get(x.storage, 0):
            for side, record in zip(self._memory, (x, y), strict=True):
                side.pop(record.storage, None)

    def _read_extra(self, pair: Pair) -> None:
        before = self.candidates[-1] if self.candidates else None
        follows = before is not None and before.kind == OriginKind.EXTRA and before.last == self._count - 1
        candidate = before if follows and before is not None else self._python
        if candidate is None:
            candidate = self._accuse(Candidate(OriginKind.EXTRA, pair, instead=pair.b if pair.a is not None else None))
        candidate.last = self._count
        candidate.matters = candidate.matters or pair.lost
        for op, side in zip((pair.a, pair.b), self._memory, strict=True):
            for entry in () if op is None else op.entries:
                if entry.role in (OUTPUT, WRITTEN) and entry.storage:
                    side[entry.storage] = candidate
                elif entry.role == GENERATOR:
                    self._generators.setdefault(entry.place, candidate)

    def _complete_extra(self, pair: Pair) -> None:
        """What follows an operation that only one run did is what the other one did in its place."""
        before = self.candidates[-1] if self.candidates else None
        if before is not None and before.kind == OriginKind.EXTRA and before.instead is None:
            before.instead = pair.b if before.pair.a is not None else pair.a

    def _accuse(self, candidate: Candidate) -> Candidate:
        candidate.last = self._count
        self.candidates.append(candidate)
        return candidate


class _Unfilled:
    """Memory that an operation gave as it found it, and whether it was filled since."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        roles = trace.records["role"] >> ROLE_SHIFT
        self._given = {int(storage) for storage in trace.records["storage"][roles == BLANK]}
        self._history: dict[int, list[tuple[int, bool]]] | None = None

    def __contains__(self, storage: int) -> bool:
        """Whether it was ever given so."""
        return storage in self._given

    def at(self, storage: int, position: int) -> bool:
        """Whether no operation before this record wrote all of it without reading it: an initialisation, a copy."""
        if storage not in self._given:
            return False
        if self._history is None:
            self._history = self._read()
        unfilled = False
        for number, after in self._history[storage]:
            if number >= position:
                break
            unfilled = after
        return unfilled

    def _read(self) -> dict[int, list[tuple[int, bool]]]:
        """Of each memory the records from which on it is unfilled, or filled."""
        import numpy as np

        records = self._trace.records
        numbers = np.flatnonzero(np.isin(records["storage"], np.array(sorted(self._given), np.uint32)))
        operations = np.cumsum((records["role"] & START) != 0)[numbers].tolist()
        elements = [math.prod(self._trace.forms[n].shape) for n in range(len(self._trace.forms))]
        history: dict[int, list[tuple[int, bool]]] = {storage: [] for storage in self._given}
        sizes: dict[int, int] = {}
        read: dict[int, int] = {}
        for number, operation in zip(numbers.tolist(), operations, strict=True):
            record = records[number]
            storage, role, size = (
                int(record["storage"]),
                int(record["role"]) >> ROLE_SHIFT,
                elements[int(record["form"])],
            )
            if role == BLANK:
                sizes[storage] = size
                history[storage].append((number, True))
            elif role == INPUT:
                read[storage] = operation
            elif role in (OUTPUT, WRITTEN) and size >= sizes.get(storage, 0) and read.get(storage) != operation:
                history[storage].append((number, False))
        return history


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
