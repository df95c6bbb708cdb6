"""The trace: every operation that torch dispatches in the window, as records of what went in and what came out.

A dispatch mode sees them all: forward, backward, optimizer. It lies at the bottom of the stack of modes, so that the
target's own modes come and go above it, and it lets compiled code stay compiled. Threads enter it as they start; a
forked child leaves it at once. Nothing here may change what the target computes, or raise into it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _pop_mode, _push_mode
from xxhash import xxh3_64_intdigest

from reprocheck.model import RunSpec, TraceWindow
from reprocheck.worker.digest import Unobserved, raw_bytes
from reprocheck.worker.observe import tensors_in
from reprocheck.worker.recorder import Recorder
from reprocheck.worker.sites import Sites
from reprocheck.worker.trace_format import (
    BLANK,
    GENERATOR,
    INPUT,
    OUTPUT,
    ROLE_SHIFT,
    SCALARS,
    START,
    STEP,
    STEP_END,
    WRITTEN,
    argument_index,
)
from reprocheck.worker.trace_modules import Modules
from reprocheck.worker.trace_ops import (
    Argument,
    Plan,
    draws,
    generator_of,
    plan_of,
    scalar_bytes,
    scalar_text,
    scalars_of,
    value_of,
)
from reprocheck.worker.trace_tensors import Tensors
from reprocheck.worker.trace_threads import Stream, Streams, watch_threads
from reprocheck.worker.trace_writer import TraceWriter

MOST_NODES = 1 << 17
"""Nodes of autograd graphs whose origin a thread remembers."""
FLUSH_SECONDS = 0.5
_NOWHERE = (0, 0)

_node_at_work: Callable[[], Any] = torch._C._current_autograd_node
_next_sequence: Callable[[], int] = torch._C._autograd._get_sequence_nr  # type: ignore[attr-defined]
_has_gradients: Callable[[], bool] = torch.is_grad_enabled


class _Mode(TorchDispatchMode):
    """Hands every operation to the tracer."""

    supports_higher_order_operators = True

    def __init__(self, tracer: Tracer) -> None:
        super().__init__()
        self._dispatch = tracer.dispatch

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        return True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._dispatch(func, args, kwargs or {})


class Tracer:
    """Traces one run. The observer tells it of steps and of the calls of modules."""

    def __init__(self, spec: RunSpec, window: TraceWindow, recorder: Recorder) -> None:
        self._window = window
        self._recorder = recorder
        self._inputs = window.inputs
        self._sites = Sites(spec)
        self._writer = TraceWriter(spec.directory, window.first or 0, window.values)
        self._tensors = Tensors(self._writer)
        self._streams = Streams()
        self._mode = _Mode(self)
        self._events = self._writer.events.numbers
        self._in_window = not window.first
        self._on = self._in_window
        self._started = False
        """A model was called or a step was taken: what came before is `init`."""
        self._flushed = time.monotonic()
        self._failures = 0
        self.modules = Modules(self)

    def install(self) -> None:
        """Begin, or wait for the window to begin. Called once, right after the import of torch."""
        watch_threads(self._streams, self.enter_thread, self.leave_thread)
        os.register_at_fork(after_in_child=self._forget)
        self.enter_thread()

    @property
    def is_on(self) -> bool:
        """Whether operations are recorded now."""
        return self._on

    @property
    def records_inputs(self) -> bool:
        """Whether what goes into operations is recorded now."""
        return self._on and self._inputs

    @property
    def stream(self) -> Stream:
        """That of the current thread or task."""
        return self._streams.here

    def enter_thread(self) -> None:
        """From now on this thread's operations are seen."""
        if self._on and not any(mode is self._mode for mode in _modes()):
            self.stream.sequence = _next_sequence()
            _at_the_bottom(self._mode)

    def leave_thread(self) -> None:
        """This thread's operations are no longer seen."""
        if any(mode is self._mode for mode in _modes()):
            _take_out(self._mode)

    def step_begins(self) -> None:
        """An optimizer step is about to be taken."""
        self._started = True
        self.stream.optimizers += 1
        self.enter_thread()

    def step_ends(self, finished: int) -> None:
        """So many steps are finished, counting this one."""
        stream = self.stream
        stream.optimizers = max(0, stream.optimizers - 1)
        if self._on:
            self.guarded(self._mark_step, finished - 1)
        if not self._in_window and finished >= (self._window.first or 0):
            self._in_window = self._on = True
            self._started = True
        self.enter_thread()

    def model_called(self) -> None:
        """A model is about to be called."""
        self._started = True
        self.enter_thread()
        now = time.monotonic()
        if self._on and now - self._flushed >= FLUSH_SECONDS:
            self._flushed = now
            self.guarded(self._writer.flush)

    def close(self) -> None:
        """The end of the trace: all of it is on disk."""
        if self._on:
            self._on = False
            self.guarded(self._writer.close)
        self.leave_thread()

    def _forget(self) -> None:
        """In a forked child: trace nothing, at no cost."""
        self._on = False
        self._in_window = True
        self.leave_thread()

    # --- one operation -----------------------------------------------------------------------------------------

    def dispatch(self, operation: Any, args: Any, kwargs: Any) -> Any:
        """Run an operation and record it."""
        plan = plan_of(operation)
        if plan is None or not self._on:
            return operation(*args, **kwargs)
        event = start = 0
        try:
            site, module, phase = self._place(self._streams.here)
            makes = plan.makes or plan.written
            if makes or (self._inputs and (plan.read or plan.scalars)):
                event = self._event(plan, site, module, phase)
                start = self._record_before(plan, event, args, kwargs)
        except Exception as error:
            self._fail(error)
            event = 0
        result = operation(*args, **kwargs)
        if event:
            try:
                self._record_after(plan, event, start, args, kwargs, result)
            except Exception as error:
                self._fail(error)
        return result

    def _place(self, stream: Stream) -> tuple[int, int, str]:
        """Site, module and phase of the operation at hand; remembers them for its backward."""
        node = _node_at_work()
        following = _next_sequence()
        modules = stream.modules
        module = modules[-1] if modules else 0
        if node is None:
            site = self._sites.here(3)
        else:
            origin = stream.made.get(node._sequence_nr(), _NOWHERE) if following == stream.sequence else _NOWHERE
            site, module = origin if origin[0] else (self._sites.here(3), module)
        if following != stream.sequence:
            self._remember(stream, following, (site, module))
        if node is not None:
            return site, module, "backward"
        if not self._started:
            return site, module, "init"
        if _has_gradients():
            return site, module, "forward"
        return site, module, "optimizer" if stream.optimizers else "no-grad"

    def _remember(self, stream: Stream, following: int, origin: tuple[int, int]) -> None:
        """The nodes made since the last operation are of this one: a custom function makes one of its own, too."""
        made = stream.made
        first = stream.sequence if 0 < following - stream.sequence <= 4 else following - 1
        for number in range(first, following):
            made[number] = origin
        stream.sequence = following
        if len(made) > MOST_NODES:
            for old in list(made)[: MOST_NODES // 2]:
                del made[old]

    def _event(self, plan: Plan, site: int, module: int, phase: str) -> int:
        stream = self._streams.here
        key = (plan.name, site, module, phase, stream.name)
        number = self._events.get(key)
        if number is not None:
            return number
        return self._writer.events.add(
            key,
            lambda: {
                "op": plan.name,
                "thread": stream.name,
                "phase": phase,
                "module": self.modules.described(module),
                "frames": self._sites.frames(site),
                "arguments": plan.arguments,
                "tags": plan.tags,
            },
        )

    def special_event(self, kind: str, name: str, arguments: tuple[str, ...]) -> int:
        """The event of something that is no operation: a model's call, a step's end."""
        stream = self._streams.here
        module = stream.modules[-1] if stream.modules else 0
        site = self._sites.here(2)
        phase = "forward" if _has_gradients() else "no-grad"
        key = (kind, name, site, module, phase, stream.name, arguments)
        return self._events.get(key) or self._writer.events.add(
            key,
            lambda: {
                "kind": kind,
                "op": f"{kind}::{name}",
                "thread": stream.name,
                "phase": phase,
                "module": self.modules.described(module),
                "frames": self._sites.frames(site),
                "arguments": arguments,
                "tags": (),
            },
        )

    def _record_before(self, plan: Plan, event: int, args: Any, kwargs: Any) -> int:
        """What goes in. Returns START if the operation has no record yet, else 0."""
        start = START
        if draws(plan, args, kwargs):
            generator, name = generator_of(plan, args, kwargs)
            with Unobserved():
                state = xxh3_64_intdigest(raw_bytes(generator.get_state()))
            self._writer.record(event, 0, state, 0, GENERATOR << ROLE_SHIFT | start | (name == "passed"), 0)
            start = 0
        if not self._inputs:
            return start
        places, values = scalars_of(plan, args, kwargs)
        if values:
            digest = xxh3_64_intdigest(scalar_bytes(values))
            text = self._writer.keep_text(digest, lambda: scalar_text(places, values))
            self._writer.record(event, 0, digest, 0, SCALARS << ROLE_SHIFT | start, text)
            start = 0
        if not plan.has_schema:
            return self.record_tensors(event, INPUT, start, list(tensors_in((args, kwargs))))
        for place in plan.read:
            start = self._record_argument(event, INPUT, start, place, value_of(place, args, kwargs))
        return start

    def _record_argument(self, event: int, role: int, start: int, place: Argument, value: Any) -> int:
        look, record = self._tensors.look, self._writer.record
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

    def record_tensors(self, event: int, role: int, start: int, tensors: list[torch.Tensor]) -> int:
        """Records for tensors that are numbered through."""
        for number, tensor in enumerate(tensors):
            storage, digest, form, kept = self._tensors.look(tensor)
            self._writer.record(event, storage, digest, form, role << ROLE_SHIFT | start | min(number, START - 1), kept)
            start = 0
        return start

    def _record_after(self, plan: Plan, event: int, start: int, args: Any, kwargs: Any, result: Any) -> None:
        """What came out, and what was written."""
        look, record = self._tensors.look, self._writer.record
        if plan.is_blank:
            storage, form = self._tensors.memory_of(result)
            record(event, storage, 0, form, BLANK << ROLE_SHIFT | start, 0)
            start = 0
        elif not plan.has_schema:
            start = self.record_tensors(event, OUTPUT, start, list(tensors_in(result)))
        elif plan.makes:
            if isinstance(result, torch.Tensor):
                storage, digest, form, kept = look(result, True)
                record(event, storage, digest, form, OUTPUT << ROLE_SHIFT | start, kept)
                start = 0
            elif result is not None:
                start = self._record_results(event, start, result[: plan.filled])
        for place in plan.written:
            start = self._record_argument(event, WRITTEN, start, place, value_of(place, args, kwargs))
        self._writer.end_operation()

    def _record_results(self, event: int, start: int, results: Any) -> int:
        number = 0
        for result in results:
            for tensor in result if isinstance(result, (list, tuple)) else (result,):
                if isinstance(tensor, torch.Tensor):
                    storage, digest, form, kept = self._tensors.look(tensor)
                    role = OUTPUT << ROLE_SHIFT | start | min(number, START - 1)
                    self._writer.record(event, storage, digest, form, role, kept)
                    start = 0
                number += 1
        return start

    def _mark_step(self, number: int) -> None:
        event = self.special_event(STEP_END, "end", ())
        self._writer.record(event, 0, number, 0, STEP << ROLE_SHIFT | START, 0)
        self._writer.flush()

    def guarded(self, act: Callable[..., Any], *args: Any) -> Any:
        """Do what may fail; then it is noted, and None."""
        try:
            return act(*args)
        except Exception as error:
            self._fail(error)
            return None

    def _fail(self, error: Exception) -> None:
        """What cannot be recorded is noted, and a trace that cannot be written ends."""
        self._failures += 1
        if self._failures <= 5:
            self._recorder.line("note", text=f"an operation could not be traced: {type(error).__name__}: {error}")
        if isinstance(error, OSError):
            self._on = False


def _modes() -> list[TorchDispatchMode]:
    count = torch._C._len_torch_dispatch_stack()
    return [torch._C._get_dispatch_stack_at(index) for index in range(count)]


def _at_the_bottom(mode: TorchDispatchMode) -> None:
    """Under the modes of the target: each of them takes off the topmost when it ends, and that must be itself."""
    above = [_pop_mode() for other in _modes() if not other.is_infra_mode()]
    _push_mode(mode)
    for other in reversed(above):
        _push_mode(other)


def _take_out(mode: TorchDispatchMode) -> None:
    above = []
    while (top := _pop_mode()) is not mode:
        above.append(top)
    for other in reversed(above):
        _push_mode(other)
