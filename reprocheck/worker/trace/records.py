"""The records of one operation: what goes in before it runs, what came out after."""

from __future__ import annotations

from typing import Any

import torch
from xxhash import xxh3_64_intdigest

from reprocheck.protocol.trace_format import (
    BLANK,
    GENERATOR,
    INPUT,
    OUTPUT,
    ROLE_SHIFT,
    SCALARS,
    START,
    WRITTEN,
    argument_index,
)
from reprocheck.worker.fingerprint.digest import raw_bytes
from reprocheck.worker.fingerprint.unobserved import Unobserved
from reprocheck.worker.observe.tensors_in import tensors_in
from reprocheck.worker.trace.ops import (
    Argument,
    Plan,
    draws,
    generator_of,
    scalar_bytes,
    scalar_text,
    scalars_of,
    value_of,
)
from reprocheck.worker.trace.tensors import Tensors
from reprocheck.worker.trace.writer import TraceWriter


class Records:
    """Writes the records of operations. `start` is START until an operation has its first one."""

    def __init__(self, writer: TraceWriter, with_inputs: bool) -> None:
        self._writer = writer
        self._look_at = Tensors(writer, with_inputs)
        self._with_inputs = with_inputs

    def before(self, plan: Plan, event: int, args: Any, kwargs: Any) -> int:
        """What goes in. Returns START if the operation has no record yet, else 0."""
        start = START
        if plan.is_random and draws(plan, args, kwargs):
            generator, name = generator_of(plan, args, kwargs)
            with Unobserved():
                state = xxh3_64_intdigest(raw_bytes(generator.get_state()))
            self._writer.record(event, 0, state, 0, GENERATOR << ROLE_SHIFT | start | (name == "passed"), 0)
            start = 0
        if not self._with_inputs:
            return start
        places, values = scalars_of(plan, args, kwargs)
        if values:
            digest = xxh3_64_intdigest(scalar_bytes(values))
            text = self._writer.keep_text(digest, lambda: scalar_text(places, values))
            memory = 0 if plan.makes or plan.written else self._look_at.viewed(args)
            self._writer.record(event, memory, digest, 0, SCALARS << ROLE_SHIFT | start, text)
            start = 0
        if not plan.has_schema:
            return self.tensors(event, INPUT, start, list(tensors_in((args, kwargs))))
        for place in plan.read:
            start = self._argument(event, INPUT, start, place, value_of(place, args, kwargs))
        return start

    def _argument(self, event: int, role: int, start: int, place: Argument, value: Any) -> int:
        look, record = self._look_at.look, self._writer.record
        role <<= ROLE_SHIFT
        if isinstance(value, torch.Tensor):
            storage, digest, form, kept = look(value)
            record(event, storage, digest, form, role | start | argument_index(place[0], 0), kept)
            return 0
        for item, tensor in enumerate(value) if isinstance(value, (list, tuple)) else ():
            if isinstance(tensor, torch.Tensor):
                storage, digest, form, kept = look(tensor)
                record(event, storage, digest, form, role | start | argument_index(place[0], item), kept)
                start = 0
        return start

    def tensors(self, event: int, role: int, start: int, tensors: list[torch.Tensor]) -> int:
        """Records for tensors that are numbered through."""
        for number, tensor in enumerate(tensors):
            storage, digest, form, kept = self._look_at.look(tensor)
            self._writer.record(event, storage, digest, form, role << ROLE_SHIFT | start | min(number, START - 1), kept)
            start = 0
        return start

    def after(self, plan: Plan, event: int, start: int, args: Any, kwargs: Any, result: Any) -> None:
        """What came out, and what was written."""
        look, record = self._look_at.look, self._writer.record
        if plan.is_blank:
            storage, form = self._look_at.memory_of(result)
            record(event, storage, 0, form, BLANK << ROLE_SHIFT | start, 0)
            start = 0
        elif not plan.has_schema:
            start = self.tensors(event, OUTPUT, start, list(tensors_in(result)))
        elif plan.makes:
            if isinstance(result, torch.Tensor):
                storage, digest, form, kept = look(result, True)
                record(event, storage, digest, form, OUTPUT << ROLE_SHIFT | start, kept)
                start = 0
            elif result is not None:
                start = self._results(event, start, result[: plan.filled])
        for place in plan.written:
            start = self._argument(event, WRITTEN, start, place, value_of(place, args, kwargs))
        self._writer.end_operation()

    def _results(self, event: int, start: int, results: Any) -> int:
        number = 0
        for result in results:
            for tensor in result if isinstance(result, (list, tuple)) else (result,):
                if isinstance(tensor, torch.Tensor):
                    storage, digest, form, kept = self._look_at.look(tensor)
                    role = OUTPUT << ROLE_SHIFT | start | min(number, START - 1)
                    self._writer.record(event, storage, digest, form, role, kept)
                    start = 0
                number += 1
        return start
