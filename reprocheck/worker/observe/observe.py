"""Watch a training from the outside: model calls, backward passes and optimizer steps.

Three places are wrapped, once torch is imported: `nn.Module.__call__`, `torch.autograd.backward`, and the global step
hooks of optimizers. Global forward hooks are not used: they make torch.compile warn, miss keyword arguments and
switch off fast paths. The wrappers' own frames are hidden from torch.compile, which sees the module as it is.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch.compiler import is_compiling  # as it was: a target may replace it
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from reprocheck.protocol import THREAD_MARK
from reprocheck.protocol.child_marks import CALLED, TRAINED
from reprocheck.worker.bootstrap.heap import HeapFill
from reprocheck.worker.fingerprint.tensor_refs import permit_swaps
from reprocheck.worker.fingerprint.unobserved import Unobserved, hide_from_compiler, quietly
from reprocheck.worker.inputs.sites import Sites
from reprocheck.worker.observe.listening import Listener, Listeners
from reprocheck.worker.observe.loop_checks import LoopChecks
from reprocheck.worker.observe.steps.graph import graph_leaves
from reprocheck.worker.observe.steps.parameters import Named
from reprocheck.worker.observe.steps.pending import Pending
from reprocheck.worker.observe.steps.writer import StepWriter
from reprocheck.worker.observe.tensors_in import is_transforming, storage_of, tensors_in, unwrapped
from reprocheck.worker.observe.top_models import TopModel, TopModels, is_main_thread
from reprocheck.worker.recorder import Recorder

if TYPE_CHECKING:
    from reprocheck.worker.observe.states import States
    from reprocheck.worker.observe.times import Times
    from reprocheck.worker.observe.weights import Weights
    from reprocheck.worker.trace.trace import Tracer


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
        self._listeners = Listeners(recorder, is_main_thread)
        self._guarded, self._tell = self._listeners.guarded, self._listeners.tell
        self._around_backward: Callable[[], AbstractContextManager[None]] = nullcontext
        self._ends_at_step = False
        """Once initial weights are written down."""
        self.top_models = TopModels(recorder)
        self.follow(LoopChecks(recorder, self.top_models, sites))
        self.steps = StepWriter(recorder, self.top_models)
        self.stopped_at: int | None = None
        self.stopped_in_thread: Callable[[], None] = lambda: None
        """Told when the target is stopped in another thread than its main one."""
        self.leaves = False
        """Where the target is stopped, its process ends at once: a rank, for which nobody waits as for a function."""
        self.is_evaluating = False
        """The last call of a model was one without gradients."""

    def install(self, tracer: Tracer | None) -> None:
        """Wrap torch. Called once, right after its import."""
        permit_swaps()
        module_class: Any = torch.nn.Module
        if tracer is not None:
            self._around_backward = tracer.backward
            module_class.__call__ = tracer.modules.watch_calls(module_class.__call__, self._label_of)
        module_class.__call__ = self._watch_calls(module_class.__call__)
        torch.autograd.backward = self._watch_backward(torch.autograd.backward)
        torch.autograd.grad = self._watch_grad(torch.autograd.grad)
        self._watch_optimizers()
        self.steps.endings.install()

    def follow(self, listener: Listener) -> None:
        """Tell it what happens from now on."""
        self._listeners.add(listener)

    def follow_states(self, states: States) -> None:
        """Write down what a training has to restore."""
        self.steps.follow_states(states)

    def follow_times(self, times: Times) -> None:
        """Write down when each step ended."""
        self.follow(times)
        self.steps.wait_for_digests()

    def end_at_first_step(self, weights: Weights) -> None:
        """Write down initial weights, and end the target before it changes them."""
        self.follow(weights)
        self._ends_at_step = weights.ends_here = True

    def seen_in_step(self) -> str:
        """The digest of what was observed in this step so far."""
        return self._pending.digest().hex()

    def finish(self) -> None:
        """The end of the target: what came after the last step, and models that no optimizer touched."""
        self._tell(Listener.ends)
        with Unobserved():
            self._guarded(self._finish, of="the training at its end")
            self._tell(Listener.finish, self.stopped_at is not None)

    def _finish(self) -> None:
        if self._has_optimizer and not self.steps.count and not self._ends_at_step:
            self._recorder.line("note", text="an optimizer was made, but no step of it was seen (a compiled one?)")
        gc.collect()  # which models are still there must not depend on when garbage was last collected
        self.steps.tail(self._pending)
        self.top_models.record_rest()

    def _watch_calls(self, call: Callable[..., Any]) -> Callable[..., Any]:
        pending, recorder = self._pending, self._recorder

        @functools.wraps(call)
        def __call__(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
            if is_compiling() or pending.depth:
                return call(module, *args, **kwargs)
            if not recorder.is_open:
                recorder.children.used(CALLED)
                return call(module, *args, **kwargs)
            pending.depth = 1
            try:
                with quietly():
                    is_model = self._guarded(self._called, module, args, kwargs, of="inputs of a model")
                output = call(module, *args, **kwargs)
                if is_model:
                    with quietly():
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
            with Unobserved():
                root = self.top_models.add(module)
            if root is None:
                return False
            self._tell(Listener.model_met, root)
            if not is_main_thread():  # a thread of a pool goes on to another model: what is left belongs to the last
                self._pending.take()
        self.is_evaluating = not torch.is_grad_enabled()
        if self.is_evaluating:
            self._fill.wake()
        self._tell(Listener.model_called, root, module, not self.is_evaluating)
        given = list(tensors_in((args, kwargs)))
        self._pending.top_models[root] = None
        with quietly(given):
            self._feed_inputs(root, given)
        return True

    def _feed_inputs(self, root: TopModel, given: list[torch.Tensor]) -> None:
        made = self._pending.is_made
        if is_transforming():
            given = [unwrapped(tensor) for tensor in given]
        inputs = [t for t in given if t.grad_fn is None and not made(storage_of(t))]
        feed = self._pending.feed if torch.is_grad_enabled() else self._pending.feed_evaluation
        # The number of a model of a thread is that of its first call, and so means nothing.
        label = root.label.partition(THREAD_MARK)[0]
        feed("batch", label.encode() if is_main_thread() else b"", inputs)
        if self.steps.sees_states and torch.is_grad_enabled():
            self._pending.feed("training batch", b"", inputs)  # without evaluations, which belong to no step

    def _returned(self, output: Any) -> None:
        self._tell(Listener.model_returned)
        outputs = list(tensors_in(output))
        if outputs:
            with quietly(outputs):
                self._feed_outputs(outputs)

    def _feed_outputs(self, outputs: list[torch.Tensor]) -> None:
        for tensor in outputs:
            if storage_of(tensor) is not None:
                self._pending.returned(tensor.untyped_storage())
        if is_transforming():
            self._pending.feed_evaluation("forward", b"", [unwrapped(tensor) for tensor in outputs])
        elif torch.is_grad_enabled():
            self._pending.called(outputs)
        else:
            self._pending.feed_evaluation("forward", b"", outputs)

    def _trains_elsewhere(self) -> None:
        """In a forked child nothing is recorded but that it trains."""
        if not is_compiling():
            self._recorder.children.used(TRAINED)

    def _watch_backward(self, backward: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(backward)
        def observed(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            if is_compiling() or not self._recorder.is_open:
                self._trains_elsewhere()
                return backward(tensors, *args, **kwargs)
            losses, by_hand = list(tensors_in(tensors)), self._by_hand
            with Unobserved() if by_hand else quietly(losses):
                self._guarded(self._before_backward, losses, of="a loss")
                self._tell(Listener.backward_begins)
            bare = by_hand and self._has_no_model
            if by_hand:
                self._leave_before_step("backward", lambda: graph_leaves(losses) if bare else [])
            leaves = [leaf for _, leaf in graph_leaves(losses)] if bare else []
            with self._around_backward():
                result = backward(tensors, *args, **kwargs)
            with Unobserved() if self._by_hand else quietly():
                self._tell(Listener.backward_ended)
                self._guarded(self._after_backward, leaves, of="a backward pass")
            self._stop_if_done()
            return result

        hide_from_compiler(observed)
        return observed

    def _watch_grad(self, grad: Callable[..., Any]) -> Callable[..., Any]:
        """`torch.autograd.grad`: the backward pass of those who update their parameters by hand."""

        @functools.wraps(grad)
        def observed(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            with self._around_backward():
                result = grad(outputs, inputs, *args, **kwargs)
            if not is_compiling():
                self._tell(Listener.gradients_taken)
            if not self._recorder.is_open:
                self._trains_elsewhere()
            if is_compiling() or not self._recorder.is_open or is_transforming():
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
        trained = self.steps.backward(inputs if bare else [], self._pending, list(tensors_in(result)))
        self._tell(Listener.trained, self.steps.count - 1, lambda: ("", trained, ()))
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
        self._tell(Listener.lost, losses)
        self._pending.followed(losses)
        self._pending.feed("loss", b"", losses)
        if self._by_hand:
            leaves = graph_leaves(losses) if self._has_no_model else []
            self.top_models.record_initial("forward", leaves)
            self._tell(Listener.bare_step_begins, [leaf for _, leaf in leaves])

    def _after_backward(self, leaves: list[torch.Tensor]) -> None:
        if self._by_hand:
            self._tell(Listener.bare_step_ended)
            trained = self.steps.backward(leaves, self._pending)
            self._tell(Listener.trained, self.steps.count - 1, lambda: ("", trained, ()))
            self._step_taken()

    def _watch_optimizers(self) -> None:
        optimizer_class: Any = torch.optim.Optimizer
        original = optimizer_class.__init__

        @functools.wraps(original)
        def __init__(optimizer: Any, *args: Any, **kwargs: Any) -> None:
            self._has_optimizer = True
            original(optimizer, *args, **kwargs)
            if not is_compiling():
                self._tell(Listener.optimizer_made, optimizer)

        def before(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
            if is_compiling() or not self._recorder.is_open:
                self._trains_elsewhere()
                return
            self._has_optimizer = True  # a copied or unpickled one was never initialised here
            is_new = not self.steps.has_met(optimizer)
            if is_new:
                with Unobserved():
                    self._guarded(self.steps.before, optimizer, of="an optimizer step")
            if is_new or self._ends_at_step:
                self._leave_before_step("step", lambda: self.steps.names_in(optimizer))
            closure = args[1] if len(args) > 1 else kwargs.get("closure")
            self._tell(Listener.step_begins, optimizer, closure is not None)

        def after(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
            if is_compiling() or not self._recorder.is_open:
                return
            self._leave_if_stopped()
            with Unobserved():
                self._guarded(self.steps.after, optimizer, self._pending, of="an optimizer step")
                self._tell(Listener.trained, self.steps.count - 1, lambda: self.steps.trained_by(optimizer))
                self._tell(Listener.step_ended, optimizer)
            self._step_taken()
            self._stop_if_done()

        optimizer_class.__init__ = __init__
        register_optimizer_step_pre_hook(before)
        register_optimizer_step_post_hook(after)

    def _step_taken(self) -> None:
        """Announce a step, of whatever kind: all that count steps must see each."""
        self._fill.after_step(self.steps.count)
        self._tell(Listener.step_taken, self.steps.count, self._listeners.own_seconds)

    def _leave_before_step(self, stage: str, extra: Callable[[], Named]) -> None:
        """Parameters are about to change. A target of which initial weights alone are wanted ends here."""
        if not self._listeners.hear(Listener.parameters_change):
            return
        if self._ends_at_step:
            self._leave_if_stopped()
        self._tell(Listener.parameters_change, stage, extra)
        if self._ends_at_step:
            self._stop(0, "before the first step")

    def _stop_if_done(self) -> None:
        if self._max_steps is not None and self.steps.count >= self._max_steps and self._recorder.is_open:
            self._leave_if_stopped()
            self._tell(Listener.ends)
            self._stop(self.steps.count, f"{self.steps.count} optimizer steps")

    def _stop(self, steps: int, text: str) -> NoReturn:
        self.stopped_at = steps
        if self.leaves:
            self._leave()
        if not is_main_thread():
            self.stopped_in_thread()
        raise TargetStopped(text)

    def _leave_if_stopped(self) -> None:
        if self.stopped_at is not None:  # the target swallowed the end of its run
            self._leave()
