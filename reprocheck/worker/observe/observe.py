"""Watch a training from the outside: model calls, backward passes and optimizer steps.

Three places are wrapped, once torch is imported: `nn.Module.__call__`, `torch.autograd.backward`, and the global step
hooks of optimizers. Global forward hooks are not used: they make torch.compile warn, miss keyword arguments and
switch off fast paths. The wrappers' own frames are hidden from torch.compile, which sees the module as it is.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from reprocheck.protocol.child_marks import CALLED, TRAINED
from reprocheck.worker.bootstrap.heap import HeapFill
from reprocheck.worker.fingerprint.unobserved import Unobserved
from reprocheck.worker.inputs.sites import Sites
from reprocheck.worker.observe.loop_checks import LoopChecks
from reprocheck.worker.observe.steps import Pending, StepWriter, Trained, graph_leaves, key_text, names_in
from reprocheck.worker.observe.top_models import TopModels, is_main_thread
from reprocheck.worker.private import error_text
from reprocheck.worker.recorder import Recorder

if TYPE_CHECKING:
    from reprocheck.worker.bootstrap.nudge import Nudger
    from reprocheck.worker.observe.layers import Layers
    from reprocheck.worker.observe.memory import Memory
    from reprocheck.worker.observe.sketch import Sketcher
    from reprocheck.worker.observe.states import Preemption, States
    from reprocheck.worker.observe.times import Times
    from reprocheck.worker.observe.weights import Weights
    from reprocheck.worker.trace.trace import Tracer


MOST_FAILURES = 20
"""Failures of observation that are reported; the others are like them."""
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
HELP = "see what the training overrides or replaces: attributes of tensors, methods of models and optimizers"


class TargetStopped(BaseException):
    """Ends the target after --max-steps; not an Exception, so that targets do not swallow it."""


class Observer:
    """Feeds the step writer from inside the target's own calls."""

    def __init__(
        self, recorder: Recorder, heap_fill: HeapFill, max_steps: int | None, leave: Callable[[], None], sites: Sites
    ) -> None:
        self._recorder = recorder
        self._fill = heap_fill
        self._max_steps = max_steps
        self._leave = leave
        self._pending = Pending()
        self._has_optimizer = False
        self._failures: set[tuple[str, str]] = set()
        self._tracer: Tracer | None = None
        self._cut: Preemption | None = None
        self._times: Times | None = None
        self._sketcher: Sketcher | None = None
        self._nudger: Nudger | None = None
        self._weights: Weights | None = None
        self._ends_at_step = False
        """Once initial weights are written down."""
        self._layers: Layers | None = None
        self._memory: Memory | None = None
        self._own_seconds = 0.0
        self.top_models = TopModels(recorder)
        self._loop_checks = LoopChecks(recorder, self.top_models, sites)
        self.steps = StepWriter(recorder, self.top_models)
        self.stopped_at: int | None = None
        self.leaves = False
        """Where the target is stopped, its process ends at once: a rank, for which nobody waits as for a function."""
        self.is_evaluating = False
        """The last call of a model was one without gradients."""

    def install(self, tracer: Tracer | None) -> None:
        """Wrap torch. Called once, right after its import."""
        module_class: Any = torch.nn.Module
        if tracer is not None:
            self._tracer = tracer
            module_class.__call__ = tracer.modules.watch_calls(module_class.__call__, self._label_of)
        module_class.__call__ = self._watch_calls(module_class.__call__)
        torch.autograd.backward = self._watch_backward(torch.autograd.backward)
        torch.autograd.grad = self._watch_grad(torch.autograd.grad)
        self._watch_optimizers()
        self.steps.endings.install()

    def follow_states(self, states: States, cut: Preemption | None) -> None:
        """Write down what a training has to restore, and end it where it is to be cut."""
        self.steps.states = states
        self._cut = cut

    def follow_times(self, times: Times) -> None:
        """Write down when each step ended."""
        self._times = times
        self.steps.waits = True

    def follow_values(self, sketcher: Sketcher) -> None:
        """Write down enough of the values of every step to say how far another run is from them."""
        self._sketcher = sketcher

    def move_parameters(self, nudger: Nudger) -> None:
        """Move every parameter by one ULP before a step."""
        self._nudger = nudger

    def follow_weights(self, weights: Weights) -> None:
        """Write down initial weights, and end the target before it changes them."""
        self._weights = weights
        self._ends_at_step = weights.ends_here = True

    def look_at_weights(self, weights: Weights) -> None:
        """Write down initial weights; the target goes on."""
        self._weights = weights

    def follow_all(self, weights: Weights, layers: Layers, memory: Memory) -> None:
        """Write down initial weights, the first batch's way through the layers, and memory; the target goes on."""
        self._weights, self._layers, self._memory = weights, layers, memory

    def seen_in_step(self) -> str:
        """The digest of what was observed in this step so far."""
        return self._pending.digest().hex()

    def finish(self) -> None:
        """The end of the target: what came after the last step, and models that no optimizer touched."""
        if self._tracer is not None:
            self._tracer.close()
        if self._times is not None:
            self._times.flush()
        with Unobserved():
            self._guarded(self._finish, of="the training at its end")

    def _finish(self) -> None:
        if self._has_optimizer and not self.steps.count and not self._ends_at_step:
            self._recorder.line("note", text="an optimizer was made, but no step of it was seen (a compiled one?)")
        gc.collect()  # which models are still there must not depend on when garbage was last collected
        self.steps.tail(self._pending)
        self.top_models.record_rest()
        self._loop_checks.finish(was_stopped=self.stopped_at is not None)
        if self._weights is not None:
            self._weights.write("forward")
            self._weights.write_rest()
        if self._layers is not None:
            self._layers.finish()
        if self._memory is not None:
            self._memory.finish()

    def _watch_calls(self, call: Callable[..., Any]) -> Callable[..., Any]:
        pending, recorder = self._pending, self._recorder

        @functools.wraps(call)
        def __call__(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling() or pending.depth:
                return call(module, *args, **kwargs)
            if not recorder.is_open:
                recorder.children.used(CALLED)
                return call(module, *args, **kwargs)
            pending.depth = 1
            try:
                with Unobserved():
                    is_model = self._guarded(self._called, module, args, kwargs, of="inputs of a model")
                output = call(module, *args, **kwargs)
                if is_model:
                    with Unobserved():
                        self._guarded(self._returned, output, of="outputs of a model")
                return output
            finally:
                pending.depth = 0

        hide_from_compiler(__call__)
        return __call__

    def _label_of(self, module: torch.nn.Module) -> str | None:
        root = self.top_models.find(module)
        return None if root is None else root.label

    def _called(self, module: torch.nn.Module, args: Any, kwargs: Any) -> bool:
        root = self.top_models.find(module)
        if root is None:
            root = self.top_models.add(module)
            if root is None:
                return False
            if self._weights is not None:
                self._guarded(self._weights.met, root)  # the batch is seen all the same
            if not is_main_thread():  # a thread of a pool goes on to another model: what is left belongs to the last
                self._pending.take()
        self.is_evaluating = not torch.is_grad_enabled()
        if self.is_evaluating:
            self._fill.wake()
        if not self.is_evaluating and is_main_thread():
            self._values_of_model(module)
        made = self._pending.is_made
        given = tensors_in((args, kwargs))
        if _transforming():
            given = map(_unwrapped, given)
        inputs = [t for t in given if t.grad_fn is None and not made(_storage(t))]
        self._pending.top_models[root] = None
        if is_main_thread():
            self._loop_checks.model_called(root, module)
            if self._layers is not None and not self.is_evaluating:
                self._layers.called(root, module)
            if self._memory is not None:
                self._memory.computes(not self.is_evaluating)
        feed = self._pending.feed if torch.is_grad_enabled() else self._pending.feed_evaluation
        feed("batch", root.label.encode() if is_main_thread() else b"", inputs)
        if self.steps.states is not None and torch.is_grad_enabled():
            self._pending.feed("training batch", b"", inputs)  # without evaluations, which belong to no step
        return True

    def _values_of_model(self, module: torch.nn.Module) -> None:
        """Before the forward of a training step."""
        if self._sketcher is not None:
            self._guarded(self._sketcher.model_called, module)
        if self._nudger is not None:
            self._guarded(self._nudger.before, self.steps.count, module.parameters())

    def _returned(self, output: Any) -> None:
        if self._layers is not None and is_main_thread():
            self._layers.returned()
        outputs = list(tensors_in(output))
        for tensor in outputs:
            if _storage(tensor) is not None:
                self._pending.returned(tensor.untyped_storage())
        if not outputs:
            return
        if _transforming():
            self._pending.feed_evaluation("forward", b"", [_unwrapped(tensor) for tensor in outputs])
        elif torch.is_grad_enabled():
            self._pending.called(outputs)
        else:
            self._pending.feed_evaluation("forward", b"", outputs)

    def _trains_elsewhere(self) -> None:
        """In a forked child nothing is recorded but that it trains."""
        if not torch.compiler.is_compiling():
            self._recorder.children.used(TRAINED)

    def _watch_backward(self, backward: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(backward)
        def observed(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling() or not self._recorder.is_open:
                self._trains_elsewhere()
                return backward(tensors, *args, **kwargs)
            losses = list(tensors_in(tensors))
            with Unobserved():
                self._guarded(self._before_backward, losses, of="a loss")
                if is_main_thread():
                    self._guarded(self._loop_checks.backward_begins)
            if self._by_hand:
                self._leave_before_step("backward", lambda: graph_leaves(losses) if self._has_no_model else [])
            leaves = [leaf for _, leaf in graph_leaves(losses)] if self._has_no_model else []
            with self._traced_backward():
                result = backward(tensors, *args, **kwargs)
            with Unobserved():
                if is_main_thread():
                    self._guarded(self._loop_checks.backward_ended)
                self._guarded(self._after_backward, leaves, of="a backward pass")
            self._stop_if_done()
            return result

        hide_from_compiler(observed)
        return observed

    def _watch_grad(self, grad: Callable[..., Any]) -> Callable[..., Any]:
        """`torch.autograd.grad`: the backward pass of those who update their parameters by hand."""

        @functools.wraps(grad)
        def observed(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            with self._traced_backward():
                result = grad(outputs, inputs, *args, **kwargs)
            if is_main_thread() and not torch.compiler.is_compiling():
                self._loop_checks.gradients_taken()
            if not self._recorder.is_open:
                self._trains_elsewhere()
            if torch.compiler.is_compiling() or not self._recorder.is_open or _transforming():
                return result
            taken = list(tensors_in(inputs))
            with Unobserved():
                self._guarded(self._gradients_taken, list(tensors_in(outputs)), taken, result, of="gradients")
                if self._by_hand:
                    self._guarded(self._after_grad, outputs, taken, result, of="a backward pass")
            self._stop_if_done()
            return result

        hide_from_compiler(observed)
        return observed

    def _traced_backward(self) -> AbstractContextManager[None]:
        return nullcontext() if self._tracer is None else self._tracer.backward()

    def _gradients_taken(self, outputs: list[torch.Tensor], inputs: list[torch.Tensor], result: Any) -> None:
        """Gradients of parameters are a backward pass; those of data are seen as what a model gives is."""
        if any(isinstance(tensor, torch.nn.Parameter) or self.steps.is_owned(tensor) for tensor in inputs):
            self._pending.followed(outputs)
            return
        slopes = list(tensors_in(result))
        if all(tensor.grad_fn is None for tensor in slopes):  # others flow into a loss
            self._pending.feed_evaluation("forward", b"", slopes)

    def _after_grad(self, outputs: Any, inputs: list[torch.Tensor], result: Any) -> None:
        bare = self._has_no_model
        if not any(isinstance(t, torch.nn.Parameter) or (bare and t.is_leaf) for t in inputs):
            return  # a slope with respect to data
        self._before_backward(list(tensors_in(outputs)))
        named = [(f"leaf{n}", t) for n, t in enumerate(inputs)] if bare else []
        self._leave_before_step("backward", lambda: named)
        self._sketch("", self.steps.backward(inputs if bare else [], self._pending, list(tensors_in(result))))
        self._step_taken()

    @property
    def _by_hand(self) -> bool:
        """Whether the target updates its parameters without any optimizer."""
        return not self._has_optimizer

    @property
    def _has_no_model(self) -> bool:
        """Whether its parameters are bare tensors at that: only the autograd graph knows them."""
        return self._by_hand and not self.top_models.changes

    def _before_backward(self, losses: list[torch.Tensor]) -> None:
        if self._layers is not None:
            self._layers.backward_begins(losses)
        if self._memory is not None:
            self._memory.computes(True)
        self._pending.followed(losses)
        self._pending.feed("loss", b"", losses)
        if self._sketcher is not None and is_main_thread():
            self._guarded(self._sketcher.lost, losses)
        if self._by_hand:
            leaves = graph_leaves(losses) if self._has_no_model else []
            self.top_models.record_initial("forward", leaves)
            if self._nudger is not None and is_main_thread():
                self._guarded(self._nudger.before, self.steps.count, [leaf for _, leaf in leaves])

    def _after_backward(self, leaves: list[torch.Tensor]) -> None:
        if self._by_hand:
            if self._layers is not None:
                self._layers.backward_ended()
            self._sketch("", self.steps.backward(leaves, self._pending))
            self._step_taken()

    def _sketch(self, optimizer: str, trained: list[Trained], rates: Sequence[float] = ()) -> None:
        """The values that a step read and left, once it has been counted."""
        if self._sketcher is not None and is_main_thread():
            self._guarded(self._sketcher.step_taken, self.steps.count - 1, optimizer, rates, trained)

    def _watch_optimizers(self) -> None:
        optimizer_class: Any = torch.optim.Optimizer
        original = optimizer_class.__init__

        @functools.wraps(original)
        def __init__(optimizer: Any, *args: Any, **kwargs: Any) -> None:
            self._has_optimizer = True
            original(optimizer, *args, **kwargs)
            if is_main_thread() and not torch.compiler.is_compiling():
                self._guarded(self._loop_checks.optimizer_made, optimizer)

        def before(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
            if torch.compiler.is_compiling() or not self._recorder.is_open:
                self._trains_elsewhere()
                return
            self._has_optimizer = True  # a copied or unpickled one was never initialised here
            with Unobserved():
                self._guarded(self.steps.before, optimizer, of="an optimizer step")
            self._leave_before_step("step", lambda: names_in(optimizer))
            if self._nudger is not None and is_main_thread():
                parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
                with Unobserved():
                    self._guarded(self._nudger.before, self.steps.count, parameters)
            if is_main_thread():
                closure = args[1] if len(args) > 1 else kwargs.get("closure")
                self._guarded(self._loop_checks.step_begins, optimizer, closure is not None)
            if self._layers is not None:
                self._guarded(self._layers.at_step, optimizer)
            if self._tracer is not None:
                self._tracer.step_begins()

        def after(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
            if torch.compiler.is_compiling() or not self._recorder.is_open:
                return
            self._leave_if_stopped()
            with Unobserved():
                self._guarded(self.steps.after, optimizer, self._pending, of="an optimizer step")
                if self._sketcher is not None and is_main_thread():
                    self._sketch(*self.steps.trained_by(optimizer))
                if is_main_thread():
                    self._guarded(self._loop_checks.step_ended, optimizer)
                if self._layers is not None:
                    self._guarded(self._layers.at_step, optimizer)
            self._step_taken()
            self._stop_if_done()

        optimizer_class.__init__ = __init__
        register_optimizer_step_pre_hook(before)
        register_optimizer_step_post_hook(after)

    def _step_taken(self) -> None:
        """Announce a step, of whatever kind: all that count steps must see each."""
        self._fill.after_step(self.steps.count)
        if self._tracer is not None:
            self._tracer.step_ends(self.steps.count)
        if self._times is not None:
            self._times.step_taken(self._own_seconds)
        if self._memory is not None:
            self._memory.step_taken()
        if self._cut is not None:
            self._cut.step_taken(self.steps.count)

    def _leave_before_step(self, stage: str, extra: Callable[[], list[tuple[str, torch.Tensor]]]) -> None:
        """Where initial weights are asked for; where nothing else is, the target ends before it changes them."""
        if self._weights is None:
            return
        if self._ends_at_step:
            self._leave_if_stopped()
        if not self._weights.is_written:
            with Unobserved():
                self._guarded(self._weights.write, stage, extra())
        if not self._ends_at_step:
            return
        self._stop(0, "before the first step")

    def _stop_if_done(self) -> None:
        if self._max_steps is not None and self.steps.count >= self._max_steps and self._recorder.is_open:
            self._leave_if_stopped()
            if self._tracer is not None:
                self._tracer.close()
            self._stop(self.steps.count, f"{self.steps.count} optimizer steps")

    def _stop(self, steps: int, text: str) -> NoReturn:
        self.stopped_at = steps
        if self.leaves:
            self._leave()
        raise TargetStopped(text)

    def _leave_if_stopped(self) -> None:
        if self.stopped_at is not None:  # the target swallowed the end of its run
            self._leave()

    def _guarded(self, observe: Callable[..., Any], *args: Any, of: str = "") -> Any:
        """Observation must not end the target: what fails is not compared, which is said.

        `of`: what of the result it looks at.
        """
        started = perf_counter()
        try:
            return observe(*args)
        except Exception as error:
            what = of or f"what rules ask for ({observe.__name__.strip('_').replace('_', ' ')})"
            reason = f"it could not be read: {_ADDRESS.sub('', error_text(error))}"
            if (what, reason) not in self._failures and len(self._failures) < MOST_FAILURES:
                self._failures.add((what, reason))
                self._recorder.unobserved(what, reason, is_result=bool(of), help=HELP)
            return None
        finally:
            self._own_seconds += perf_counter() - started


def hide_from_compiler(function: Callable[..., Any]) -> None:
    """torch.compile runs this frame as it is and compiles what it calls."""
    compiler: Any = torch._C._dynamo.eval_frame
    if hasattr(compiler, "skip_code"):  # older releases
        compiler.skip_code(function.__code__)
        return
    with contextlib.suppress(AttributeError):  # a PyTorch without it: compiled code may run past the observation
        action = compiler._FrameAction
        strategy = compiler._FrameExecStrategy(action.SKIP, action.DEFAULT)
        compiler.set_code_exec_strategy(function.__code__, strategy)


def tensors_in(value: Any, depth: int = 0) -> Iterator[torch.Tensor]:
    """Tensors in arguments: nested tuples, lists and dicts, and objects with fields (model outputs, batches)."""
    if isinstance(value, torch.Tensor):
        yield value
    elif depth > 8:
        return
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item, depth + 1)
    elif isinstance(value, dict):
        yield from _by_key(value, depth)
    elif hasattr(value, "__dict__") and not isinstance(value, (type, torch.nn.Module)) and not callable(value):
        fields = {k: v for k, v in vars(value).items() if isinstance(v, (torch.Tensor, list, tuple, dict))}
        yield from _by_key(fields, depth)


def _by_key(items: dict[Any, Any], depth: int) -> Iterator[torch.Tensor]:
    for _, item in sorted(items.items(), key=key_text):
        yield from tensors_in(item, depth + 1)


def _transforming() -> bool:
    """Whether a torch.func transform is under way: its tensors stand for others."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def _unwrapped(tensor: torch.Tensor) -> torch.Tensor:
    """The values behind what stands for them inside a transform."""
    functorch: Any = torch._C._functorch
    while functorch.is_functorch_wrapped_tensor(tensor):
        tensor = functorch.get_unwrapped(tensor)
    return tensor


def _storage(tensor: torch.Tensor) -> int | None:
    """Identity of the memory behind a tensor; None where it has none of its own."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):
        return None
