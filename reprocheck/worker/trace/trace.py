"""The trace: every operation that torch dispatches in the window, as records of what went in and what came out.

A dispatch mode sees them all: forward, backward, optimizer. It lies at the bottom of the stack of modes, so that the
target's own modes come and go above it, and it lets compiled code stay compiled. Threads enter it as they start; a
forked child leaves it at once. Nothing here may change what the target computes, or raise into it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _pop_mode, _push_mode

from reprocheck.model import RunSpec, TraceWindow
from reprocheck.protocol.trace_format import ENGINE, ROLE_SHIFT, START, STEP, STEP_END
from reprocheck.worker.inputs.sites import Sites
from reprocheck.worker.observe.listening import Listener
from reprocheck.worker.recorder import Recorder
from reprocheck.worker.trace.collectives import Begun, Collectives
from reprocheck.worker.trace.modules import Modules
from reprocheck.worker.trace.ops import Plan, plan_of
from reprocheck.worker.trace.records import Records
from reprocheck.worker.trace.threads import FOREIGN, Stream, Streams, watch_threads
from reprocheck.worker.trace.writer import TraceWriter

MOST_NODES = 1 << 17
"""Nodes of autograd graphs whose origin a thread remembers."""
FLUSH_SECONDS = 0.5
_NOWHERE = (0, 0)

_node_at_work: Callable[[], Any] = torch._C._current_autograd_node
_next_sequence: Callable[[], int] = torch._C._autograd._get_sequence_nr
_has_gradients: Callable[[], bool] = torch.is_grad_enabled


class _Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Hands every operation to the tracer."""

    supports_higher_order_operators = True

    def __init__(self, tracer: Tracer) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._dispatch = tracer.dispatch

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        return True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._dispatch(func, args, kwargs or {})


class Tracer(Listener):
    """Traces one run. The observer reports to it steps and the calls of modules."""

    def __init__(self, spec: RunSpec, window: TraceWindow, recorder: Recorder) -> None:
        self._window = window
        self._recorder = recorder
        self._inputs = window.inputs
        self._sites = Sites(spec)
        self._writer = TraceWriter(spec.directory, window.first or 0, window.inputs, window.values)
        self.records = Records(self._writer, window.inputs)
        self._streams = Streams()
        self._waiting: list[Stream] = []
        """Those that wait for a backward, each as often as it does."""
        self._mode = _Mode(self)
        self._events = self._writer.events.numbers
        self._in_window = not window.first
        self._on = self._in_window
        self._started = False
        """A model was called, a backward or a step was taken: what came before is `init`."""
        self._flushed = time.monotonic()
        self._failures = 0
        self._collectives: Collectives | None = None
        """From the first one on."""
        self._folder = spec.directory
        self._finished = 0
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
        here = self._streams.here
        return self._of_engine(here) if here.is_foreign else here

    @contextmanager
    def backward(self) -> Iterator[None]:
        """While it lasts, what autograd's engine does in threads of its own is done for this thread."""
        stream = self.stream
        stream.backwards += 1
        self._waiting.append(stream)
        try:
            yield
        finally:
            self._waiting.remove(stream)
            stream.backwards -= 1

    def _of_engine(self, here: Stream) -> Stream:
        """The stream of a thread that Python did not start: known where one thread only waits for a backward."""
        if (here.owner is not None and here.owner.backwards) or _node_at_work() is None:
            return here
        owners = {stream.name: stream for stream in self._waiting.copy() if stream.owner is None}
        if len(owners) == 1:
            (owner,) = owners.values()
            device = torch.cuda.current_device() if torch.cuda.is_initialized() else 0  # type: ignore[no-untyped-call]
            here = self._streams.here = Stream(f"{owner.name}.{ENGINE}{device}", owner)
        elif here.owner is not None:
            here = self._streams.here = Stream(FOREIGN)
        return here

    def enter_thread(self) -> None:
        """From now on this thread's operations are seen."""
        if self._on and not any(mode is self._mode for mode in _modes()):
            self.stream.sequence = _next_sequence()
            _at_the_bottom(self._mode)

    def leave_thread(self) -> None:
        """This thread's operations are no longer seen."""
        if any(mode is self._mode for mode in _modes()):
            _take_out(self._mode)

    def step_begins(self, optimizer: torch.optim.Optimizer, has_closure: bool) -> None:
        """An optimizer step is about to be taken."""
        self._started = True
        self.stream.optimizers += 1
        self.enter_thread()

    def step_taken(self, count: int, own_seconds: float) -> None:
        """So many steps are finished, counting this one."""
        stream = self.stream
        stream.optimizers = max(0, stream.optimizers - 1)
        self._finished = count
        if self._on:
            self.guarded(self._mark_step, count - 1)
        if not self._in_window and count >= (self._window.first or 0):
            self._in_window = self._on = True
            self._started = True
        self.enter_thread()

    def calls_model(self) -> None:
        """A model is about to be called."""
        self._started = True
        self.enter_thread()
        now = time.monotonic()
        if self._on and now - self._flushed >= FLUSH_SECONDS:
            self._flushed = now
            self.guarded(self._writer.flush)

    def ends(self) -> None:
        """The end of the trace: all of it is on disk."""
        if self._on:
            self._on = False
            if self._collectives is not None:
                self.guarded(self._collectives.settle)
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
            stream = self._streams.here
            if stream.is_foreign:
                stream = self._of_engine(stream)
            site, module, phase = self._place(stream)
            if plan.gives or (self._inputs and plan.takes):
                event = self._events.get((plan.name, site, module, phase, stream.name)) or self._event(
                    plan, site, module, phase, stream
                )
                start = self.records.before(plan, event, args, kwargs)
        except Exception as error:
            self._fail(error)
            event = 0
        collectives = self._collectives
        if collectives is not None and collectives.pending:
            self.guarded(collectives.settle)
        begun = self.guarded(self._collective_begins, operation, args, kwargs) if plan.is_collective else None
        result = operation(*args, **kwargs)
        if begun is not None and self._collectives is not None:
            self.guarded(self._collectives.after, begun, result)
        if event:
            try:
                self.records.after(plan, event, start, args, kwargs, result)
            except Exception as error:
                self._fail(error)
        return result

    def _collective_begins(self, operation: Any, args: Any, kwargs: Any) -> Begun | None:
        if self._collectives is None:
            self._collectives = Collectives(self._folder, self._sites)
        self._collectives.step = self._finished
        return self._collectives.before(operation._schema, args, kwargs)

    def _place(self, stream: Stream) -> tuple[int, int, str]:
        """Site, module and phase of the operation at hand; remembers them for its backward."""
        node = _node_at_work()
        following = _next_sequence()
        modules = stream.modules
        module = modules[-1] if modules else 0
        site = 0
        if node is not None:
            # Sequence numbers are counted by thread: within a backward of its own the engine's thread knows them.
            source = stream if stream.owner is None or stream.backwards else stream.owner
            origin = source.made.get(node._sequence_nr(), _NOWHERE)
            module = module or origin[1]
            if following == stream.sequence and not _is_written_by_user(node):
                site = origin[0]
        site = site or self._sites.here(3)
        if following != stream.sequence:
            self._remember(stream, following, (site, module))
        if node is not None:
            self._started = True
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

    def _event(self, plan: Plan, site: int, module: int, phase: str, stream: Stream) -> int:
        key = (plan.name, site, module, phase, stream.name)
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
        stream = self.stream
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


def _is_written_by_user(node: Any) -> bool:
    """A custom function: its backward has lines of its own."""
    if not isinstance(node, torch.autograd.function.BackwardCFunction):
        return False
    function = getattr(node, "_forward_cls", None)
    return function is not None and not function.__module__.startswith("torch.")


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
