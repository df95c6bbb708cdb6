"""Two traces side by side: the operations of each thread in pairs, from the first difference on. Pure.

What is equal at the start, mostly nearly everything, is passed over in blocks. Streams that lose step with each other
are aligned within a bounded look-ahead.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import Match, SequenceMatcher
from typing import TYPE_CHECKING, Any, NamedTuple

from reprocheck.diagnosis.localization.source_lines import source_line
from reprocheck.evidence.trace_file import Event, Form, Trace
from reprocheck.protocol.trace_format import INDEX_MASK, ROLE_SHIFT, START, STEP

if TYPE_CHECKING:
    import numpy as np

    Numbers = np.ndarray[Any, np.dtype[Any]]

BLOCK = 1 << 16
LOOK_AHEAD = 400
"""Operations within which streams that lost step must find together again."""
FEWEST_MATCHES = 3
"""Operations that must agree one after the other for that."""
MOST_LOOSE = 7
"""Operations that must agree after one whose line reads otherwise for it to count as the same."""


class Entry(NamedTuple):
    """One record."""

    role: int
    place: int
    """The index of the output or argument."""
    digest: int
    form: int
    """The same for the same form in both traces."""
    own_form: int
    storage: int
    value: int
    elements: int


@dataclass(slots=True)
class Op:
    """The records of one operation."""

    key: int
    """The same for the same event in both traces."""
    event: int
    position: int
    """Number of its first record."""
    entries: list[Entry]
    loose: int = 0
    """Across revisions: the same for the same operation wherever it stands in the code; else 0."""


@dataclass(slots=True)
class Pair:
    """What both runs did at one point; None where one of them did nothing of the kind."""

    a: Op | None
    b: Op | None
    lost: bool = False
    """From here on the streams cannot be aligned."""


class Keys:
    """Numbers that mean the same event or form in both traces.

    `across`: they are of two revisions: function and text of a line distinguish places: its number moves.
    """

    def __init__(self, across: bool = False) -> None:
        self.across = across
        self._numbers: dict[Any, int] = {}

    def number(self, key: Any) -> int:
        """The number of a key."""
        return self._numbers.setdefault(key, len(self._numbers))

    def of_event(self, event: Event) -> int:
        """Paths count by their last part: a run may have worked in a copy of the folder."""
        if self.across:
            places = tuple((function, source_line(path, line)) for path, line, function in event.frames[:1])
            return self.number((event.kind, event.op, event.thread, event.phase, event.model, event.module, places))
        frames = tuple((os.path.basename(path), line, function) for path, line, function in event.frames)
        return self.number((event.kind, event.op, event.thread, event.phase, event.model, event.module, frames))

    def loose(self, event: Event) -> int:
        """What is left of an event when its line was rewritten or moved to another function."""
        return self.number((event.kind, event.op, event.phase)) + 1 if self.across else 0

    def of_form(self, form: Form) -> int:
        """Forms are the same when all of them is."""
        return self.number(form)


class Side:
    """One thread of one trace."""

    def __init__(self, trace: Trace, keys: Keys, thread: str, is_only: bool) -> None:
        import numpy as np

        self.trace = trace
        self.events: Numbers = np.array([keys.of_event(trace.events[n]) for n in range(len(trace.events))], np.int64)
        self._loose = [keys.loose(trace.events[n]) for n in range(len(trace.events))]
        self.forms: Numbers = np.array([keys.of_form(trace.forms[n]) for n in range(len(trace.forms))], np.int64)
        self._elements = [math.prod(trace.forms[n].shape) for n in range(len(trace.forms))]
        self._chosen: Numbers | None = None
        if not is_only:
            wanted = np.array([trace.events[n].thread == thread for n in range(len(trace.events))], bool)
            self._chosen = np.flatnonzero(wanted[trace.records["event"]])
        self.count = len(trace.records) if self._chosen is None else len(self._chosen)

    def block(self, start: int, stop: int) -> Numbers:
        """Records of this thread."""
        if self._chosen is None:
            return self.trace.records[start:stop]
        return self.trace.records[self._chosen[start:stop]]

    def position(self, number: int) -> int:
        """Of a record of this thread among all."""
        return number if self._chosen is None else int(self._chosen[number])

    def start_of_operation(self, number: int) -> int:
        """The first record of the operation that a record belongs to."""
        while number > 0:
            roles = self.block(max(0, number - BLOCK), number + 1)["role"]
            for back in range(len(roles) - 1, -1, -1):
                if int(roles[back]) & START:
                    return number - (len(roles) - 1 - back)
            number -= len(roles)
        return 0

    def operations(self, start: int) -> Iterator[Op]:
        """The operations from a record on."""
        op: Op | None = None
        for begin in range(start, self.count, BLOCK):
            block = self.block(begin, begin + BLOCK)
            for offset, (event, storage, digest, form, role, value) in enumerate(block.tolist()):
                if role & START or op is None:
                    if op is not None:
                        yield op
                    op = Op(int(self.events[event]), event, self.position(begin + offset), [], self._loose[event])
                kind, place = role >> ROLE_SHIFT, role & INDEX_MASK
                same = int(self.forms[form])
                op.entries.append(Entry(kind, place, digest, same, form, storage, value, self._elements[form]))
        if op is not None and self.trace.complete:  # else it may be cut off
            yield op


def first_difference(a: Side, b: Side, start: int = 0) -> int | None:
    """The number of the first record that differs; None when all that both have agree."""
    import numpy as np

    common = min(a.count, b.count)
    for begin in range(start, common, BLOCK):
        stop = min(begin + BLOCK, common)
        x, y = a.block(begin, stop), b.block(begin, stop)
        same = (x["digest"] == y["digest"]) & (x["role"] == y["role"])
        same &= a.events[x["event"]] == b.events[y["event"]]
        same &= a.forms[x["form"]] == b.forms[y["form"]]
        if not same.all():
            return begin + int(np.argmin(same))
    return common if a.count != b.count and (a if a.count < b.count else b).trace.complete else None


def pairs_from(a: Side, b: Side, number: int) -> Iterator[Pair]:
    """Operations in pairs from the one on that a record of both belongs to."""
    left = _Ahead(a.operations(a.start_of_operation(number)))
    right = _Ahead(b.operations(b.start_of_operation(number)))
    cut = not (a.trace.complete and b.trace.complete)
    while True:
        x, y = left.next(), right.next()
        if x is None and y is None:
            return
        if x is not None and y is not None and (x.key == y.key or (x.loose and _goes_on(x, y, left, right))):
            yield Pair(x, y)
            continue
        if (x is None or y is None) and cut:  # the shorter one was ended
            return
        left.put_back([] if x is None else [x])
        right.put_back([] if y is None else [y])
        xs, ys = left.take(LOOK_AHEAD), right.take(LOOK_AHEAD)
        done_x = done_y = 0
        at_end = len(xs) < LOOK_AHEAD and len(ys) < LOOK_AHEAD
        for pair, used_x, used_y in _aligned(xs, ys, at_end, at_end and not cut):
            done_x, done_y = used_x, used_y
            yield pair
            if pair.lost:
                return
        if at_end:
            return
        left.put_back(xs[done_x:])
        right.put_back(ys[done_y:])


def _goes_on(x: Op, y: Op, left: _Ahead, right: _Ahead) -> bool:
    """Across revisions: whether both do the same for a while, if at lines that read otherwise."""
    xs, ys = left.take(MOST_LOOSE), right.take(MOST_LOOSE)
    left.put_back(xs)
    right.put_back(ys)
    return [op.loose for op in (x, *xs)] == [op.loose for op in (y, *ys)]


def _aligned(xs: list[Op], ys: list[Op], at_end: bool, with_rest: bool) -> Iterator[tuple[Pair, int, int]]:
    """Pairs up to the last stretch on which both agree, each with how many operations of both are used up.

    `with_rest`: what comes after it is no less certain, for both runs ended there.
    """
    blocks = _blocks([op.key for op in xs], [op.key for op in ys])
    if not blocks and xs and xs[0].loose:
        blocks = _blocks([op.loose for op in xs], [op.loose for op in ys])
    if not blocks and not at_end:
        yield Pair(xs[0] if xs else None, ys[0] if ys else None, lost=True), len(xs), len(ys)
        return
    i = j = 0
    for block in blocks:
        for pair in _between(xs[i : block.a], ys[j : block.b]):
            yield pair, block.a, block.b
        for step in range(block.size):
            yield Pair(xs[block.a + step], ys[block.b + step]), block.a + step + 1, block.b + step + 1
        i, j = block.a + block.size, block.b + block.size
    if with_rest:
        for pair in _between(xs[i:], ys[j:]):
            yield pair, len(xs), len(ys)


def _blocks(xs: list[int], ys: list[int]) -> list[Match]:
    """Stretches on which both agree."""
    matching = SequenceMatcher(None, xs, ys, autojunk=False).get_matching_blocks()
    return [block for block in matching if block.size >= FEWEST_MATCHES]


def _between(xs: list[Op], ys: list[Op]) -> Iterator[Pair]:
    """What only one run did; across revisions also what both did at lines that read otherwise."""
    left = [op.loose or ~number for number, op in enumerate(xs)]
    matcher = SequenceMatcher(None, left, [op.loose for op in ys], autojunk=False)
    i = j = 0
    for block in matcher.get_matching_blocks():
        yield from (Pair(op, None) for op in xs[i : block.a])
        yield from (Pair(None, op) for op in ys[j : block.b])
        i, j = block.a + block.size, block.b + block.size
        yield from map(Pair, xs[block.a : i], ys[block.b : j])


class _Ahead:
    """An iterator that can be looked into."""

    def __init__(self, operations: Iterator[Op]) -> None:
        self._operations = operations
        self._waiting: deque[Op] = deque()

    def next(self) -> Op | None:
        return self._waiting.popleft() if self._waiting else next(self._operations, None)

    def take(self, count: int) -> list[Op]:
        taken: list[Op] = []
        while len(taken) < count and (op := self.next()) is not None:
            taken.append(op)
        return taken

    def put_back(self, ops: list[Op]) -> None:
        self._waiting.extendleft(reversed(ops))


def threads_of(a: Trace, b: Trace) -> list[str]:
    """Threads of either trace, the main one first."""
    names = {event.thread for trace in (a, b) for event in trace.events.values() if event.thread}
    return sorted(names, key=lambda name: (len(name), name))


def operations_before(trace: Trace, position: int) -> int:
    """How many operations begin before a record."""
    import numpy as np

    count = 0
    for begin in range(0, position, BLOCK):
        roles = trace.records["role"][begin : min(begin + BLOCK, position)]
        count += int(np.count_nonzero(((roles & START) != 0) & (roles >> ROLE_SHIFT != STEP)))
    return count


def step_at(trace: Trace, position: int) -> int:
    """How many steps were finished before a record."""
    import numpy as np

    for stop in range(position, 0, -BLOCK):
        block = trace.records[max(0, stop - BLOCK) : stop]
        marks = np.flatnonzero(block["role"] >> ROLE_SHIFT == STEP)
        if marks.size:
            return int(block["digest"][marks[-1]]) + 1
    return trace.first
