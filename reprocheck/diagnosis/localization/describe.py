"""The description of the difference at which two traces diverge. Pure: only files are read."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reprocheck.diagnosis.localization.candidates import TAKES_MEMORY, Candidate, is_collective
from reprocheck.diagnosis.localization.notes import deterministic_note
from reprocheck.diagnosis.localization.pairs import Entry, Op, operations_before, step_at
from reprocheck.diagnosis.localization.source_lines import place_in, source_line
from reprocheck.evidence.trace_file import Event, Form, Trace
from reprocheck.model.explanation import Frame, OpCall, Origin
from reprocheck.model.kinds import OriginKind
from reprocheck.model.places import short_place
from reprocheck.model.values import ValueDifference, compare_values
from reprocheck.protocol.trace_format import (
    BLANK,
    COMPILED_CALL,
    GENERATOR,
    INDEX_MASK,
    INPUT,
    ITEM_BITS,
    LAST_ITEM,
    MODULE_CALL,
    OUTPUT,
    ROLE_SHIFT,
    WRITTEN,
    owner_of,
)

if TYPE_CHECKING:
    import numpy as np

MOST_RECORDS = 4096
"""Of one memory that are looked at."""
OF_OTHER_PROCESSES = "what other processes gave to this collective"
THROUGH_A_COLLECTIVE = "it arrived from another process: look at what that one computes"
UNSURE = "?"
"""In the name of a thread whose place in the order depends on scheduling."""


class OriginDescriber:
    """Turns a candidate into its description."""

    def __init__(self, a: Trace, b: Trace, runs: tuple[str, str], across: bool) -> None:
        self._a = a
        self._b = b
        self._runs = runs
        self._across = across
        events = (*a.events.values(), *b.events.values())  # one of them may have done nothing in the window
        self._threads = {owner_of(event.thread) for event in events if event.thread}
        self._models = {event.model for event in a.events.values() if event.model}

    def describe(self, candidate: Candidate) -> Origin:
        """The origin."""
        a, b = candidate.pair.a, candidate.pair.b
        if candidate.kind == OriginKind.EXTRA or a is None or b is None:
            return self._extra(candidate, a, b)
        event = self._a.events[a.event]
        base = Origin(
            kind=candidate.kind,
            call=self._call(self._a, a.event, a.position),
            other=self._call(self._b, b.event, b.position) if self._across else None,
            runs=self._runs,
            compared_ops=operations_before(self._a, a.position),
        )
        if candidate.kind == OriginKind.SCALARS:
            return self._scalars(base, event, candidate)
        entry = candidate.a or candidate.b
        assert entry is not None
        if candidate.kind == OriginKind.GENERATOR:
            which = "the generator that was passed" if entry.place else "PyTorch's default generator"
            note = self._other_thread(event, self._draws(entry.place), "draws from it")
            return replace(base, argument=which, deterministic_note=deterministic_note(event, Form()), note=note)
        base = self._with_tensor(base, candidate)
        if (
            candidate.a and candidate.a.role == WRITTEN and base.other_form
        ):  # it filled a tensor of another form: another one
            argument = _argument_name(event, candidate.a)
            return replace(base, kind=OriginKind.ANOTHER, argument=argument, values_reason="")
        if candidate.kind == OriginKind.INPUT:
            return self._input(base, event, a, candidate)
        if event.op in TAKES_MEMORY:
            return replace(base, kind=OriginKind.OUTSIDE, argument="argument 1 (source)")
        if is_collective(event.op):
            return replace(base, kind=OriginKind.OUTSIDE, argument=OF_OTHER_PROCESSES, note=THROUGH_A_COLLECTIVE)
        notes = [self._other_writers(candidate.a, event)]
        if not self._a.inputs:
            notes.append("what went into it was not recorded: its inputs may have differed")
        if event.kind == COMPILED_CALL:
            notes.append("which operation inside the compiled code it was cannot be seen")
        form = self._a.forms[candidate.a.own_form] if candidate.a else Form()
        note = "; ".join(filter(None, notes))
        note_of_torch = deterministic_note(event, form)
        return replace(base, note=note, deterministic_note=note_of_torch, unknown_inputs=not self._a.inputs)

    def _extra(self, candidate: Candidate, a: Op | None, b: Op | None) -> Origin:
        own, other = (self._a, self._b) if a is not None else (self._b, self._a)
        op, instead = (b if a is None else a), candidate.instead
        assert op is not None
        first = a or instead
        position = 0 if first is None else first.position
        return Origin(
            kind=OriginKind.EXTRA,
            call=self._call(own, op.event, op.position),
            other=None if instead is None else self._call(other, instead.event, instead.position),
            runs=self._runs,
            only_in=self._runs[0 if a is not None else 1],
            compared_ops=operations_before(self._a, position),
            note="" if candidate.matters or candidate.results else "nothing that was computed after it differs",
        )

    def _scalars(self, base: Origin, event: Event, candidate: Candidate) -> Origin:
        texts = [
            trace.text(entry.value, entry.digest) if entry is not None else ""
            for trace, entry in ((self._a, candidate.a), (self._b, candidate.b))
        ]
        argument, reason = "an argument that is no tensor", "it is no tensor"
        left, right = (dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line) for text in texts)
        for name in left | right:
            if left.get(name) != right.get(name):
                argument = f"argument {name}"
                values = f"{left.get(name, 'not given')} and {right.get(name, 'not given')}"
                reason = f"it is no tensor: {values}"
                break
        return replace(base, kind=OriginKind.OUTSIDE, argument=argument, values_reason=reason)

    def _input(self, base: Origin, event: Event, op: Op, candidate: Candidate) -> Origin:
        x = candidate.a or candidate.b
        assert x is not None
        argument = _argument_name(event, x)
        if self._is_another(candidate):
            # How far two different tensors lie apart says nothing.
            return replace(base, kind=OriginKind.ANOTHER, argument=argument, values=None, values_reason="")
        seen = self._records_of(candidate.a, op.position)
        covering = [n for n in seen if self._covers(n, x) and int(self._a.records["role"][n]) >> ROLE_SHIFT != BLANK]
        blank = [n for n in seen if int(self._a.records["role"][n]) >> ROLE_SHIFT == BLANK]
        if blank and not covering:
            return self._never_filled(base, event, blank[-1], argument)
        last = int(self._a.records["event"][covering[-1]]) if covering else 0
        if covering and is_collective(self._a.events[last].op):  # it fills its tensors after it has returned
            return replace(
                base,
                kind=OriginKind.OUTSIDE,
                call=self._call(self._a, last, covering[-1]),
                other=None,
                argument=OF_OTHER_PROCESSES,
                note=THROUGH_A_COLLECTIVE,
            )
        notes = [self._other_writers(candidate.a, event)] if covering else []
        if any(known.kind == COMPILED_CALL for known in self._a.events.values()) and event.kind != COMPILED_CALL:
            notes.append("compiled code ran in this run: it may have come from there unseen")
        return replace(
            base,
            kind=OriginKind.WRITTEN if covering else OriginKind.OUTSIDE,
            argument=argument,
            is_batch=event.kind == MODULE_CALL,
            note="; ".join(filter(None, notes)),
        )

    def _is_another(self, candidate: Candidate) -> bool:
        """Whether each run took in a tensor that did not change since it saw it last: then it is not the same one."""
        b = candidate.pair.b
        for trace, op, entry in ((self._a, candidate.pair.a, candidate.a), (self._b, b, candidate.b)):
            if op is None or entry is None or not entry.storage:
                return False
            records = trace.records[: op.position]
            same = records[(records["storage"] == entry.storage) & (records["form"] == entry.own_form)]
            if not len(same) or int(same["digest"][-1]) != entry.digest:
                return False
        return True

    def _never_filled(self, base: Origin, event: Event, birth: int, argument: str) -> Origin:
        """Memory as it was found, read before anything was put in: the operation that gave it is the origin."""
        number = int(self._a.records["event"][birth])
        place = _place(event)
        return replace(
            base,
            kind=OriginKind.OP,
            call=self._call(self._a, number, birth),
            other=None,
            deterministic_note=deterministic_note(self._a.events[number], Form()),
            note=f"no operation filled all of it before {event.op} read it{place} ({argument}): it holds what the "
            "memory held before, or what came from outside PyTorch",
        )

    def _records_of(self, entry: Entry | None, position: int) -> list[int]:
        """Earlier records of the same memory in the first run."""
        import numpy as np

        if entry is None or not entry.storage:
            return []
        found: np.ndarray[Any, np.dtype[Any]] = np.flatnonzero(self._a.records["storage"][:position] == entry.storage)
        return [int(number) for number in found[-MOST_RECORDS:]]

    def _covers(self, number: int, entry: Entry) -> bool:
        record = self._a.records[number]
        if int(record["role"]) >> ROLE_SHIFT not in (INPUT, OUTPUT, WRITTEN):
            return False
        return math.prod(self._a.forms[int(record["form"])].shape) >= entry.elements

    def _other_writers(self, entry: Entry | None, event: Event) -> str:
        """Whether other threads write the same memory."""
        roles = self._a.records["role"]
        written = (
            number
            for number in self._records_of(entry, len(self._a.records))
            if int(roles[number]) >> ROLE_SHIFT in (OUTPUT, WRITTEN)
        )
        return self._other_thread(event, written, "writes it")

    def _draws(self, place: int) -> Iterable[int]:
        import numpy as np

        roles = self._a.records["role"]
        drawn = (roles >> ROLE_SHIFT == GENERATOR) & (roles & INDEX_MASK == place)
        return (int(number) for number in np.flatnonzero(drawn)[:MOST_RECORDS])

    def _other_thread(self, event: Event, numbers: Iterable[int], does: str) -> str:
        """Whether another thread does the like: then it depends on which comes first."""
        if len(self._threads) < 2:
            return ""
        for number in numbers:
            other = self._a.events[int(self._a.records["event"][number])]
            if owner_of(other.thread) != owner_of(event.thread):
                return f"another thread also {does}{_place(other)}: which comes first may differ between runs"
        return ""

    def _with_tensor(self, origin: Origin, candidate: Candidate) -> Origin:
        x, y = candidate.a, candidate.b
        left = self._a.forms[x.own_form] if x is not None else None
        right = self._b.forms[y.own_form] if y is not None else None
        form = left or right or Form()
        origin = replace(origin, dtype=form.dtype, shape=form.shape)
        if left is None or right is None:
            return replace(origin, other_form="absent", values_reason="only one run has it")
        if (left.dtype, left.shape) != (right.dtype, right.shape):
            return replace(origin, other_form=right.text, values_reason="its form differs")
        assert x is not None
        assert y is not None
        found = self._values(x, left, y, right)
        return replace(origin, values_reason=found) if isinstance(found, str) else replace(origin, values=found)

    def _values(self, x: Entry, left: Form, y: Entry, right: Form) -> ValueDifference | str:
        if left.reason or right.reason:
            return left.reason or right.reason
        if left.layout:
            return f"it is {left.layout}: only its digest was taken"
        if not x.value or not y.value:
            return "its values were not kept"
        a = self._a.value(x.value, x.digest, left)
        b = self._b.value(y.value, y.digest, right)
        if a is None or b is None:
            return "its values were overwritten by later ones"
        in_order = memoryview(_in_order(a, left)), memoryview(_in_order(b, right))
        try:
            found = compare_values(in_order[0], in_order[1], left.dtype, left.shape)
        except ValueError as error:
            return str(error)
        return found or "its values agree: only their order in memory differs"

    def _call(self, trace: Trace, number: int, position: int) -> OpCall:
        event = trace.events[number]
        several = len(self._models) > 1 and event.model
        frames = tuple(
            Frame(location=place_in(path, line, columns), function=function, code=source_line(path, line))
            for (path, line, function), columns in zip(event.frames, event.columns, strict=True)
        )
        return OpCall(
            op=event.op,
            step=step_at(trace, position),
            phase=event.phase,
            module=".".join(filter(None, (event.model, event.module))) if several else event.module,
            frames=frames,
            thread=sorted(self._threads, key=lambda name: (len(name), name)).index(owner_of(event.thread))
            if event.thread
            else 0,
        )


def _place(event: Event) -> str:
    return f" at {short_place(*event.frames[0][:2])}" if event.frames else ""


def _argument_name(event: Event, entry: Entry) -> str:
    if event.kind == MODULE_CALL:
        return f"input {entry.place}"
    if event.kind == COMPILED_CALL:
        return event.arguments[entry.place] if entry.place < len(event.arguments) else f"input {entry.place}"
    argument, item = entry.place >> ITEM_BITS, entry.place & LAST_ITEM
    name = event.arguments[argument] if argument < len(event.arguments) else "?"
    more = f", item {item}{' or later' if item == LAST_ITEM else ''}" if item else ""
    return f"argument {argument} ({name}){more}"


def _in_order(data: bytes, form: Form) -> bytes:
    """The bytes of a tensor in the order of its elements."""
    if form.order is None or not data:
        return data
    import numpy as np

    stored = np.frombuffer(data, np.uint8).reshape(*form.stored, -1)
    inverse = [form.order.index(dimension) for dimension in range(len(form.order))]
    return stored.transpose(*inverse, len(inverse)).tobytes()
