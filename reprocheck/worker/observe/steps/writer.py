"""One step record: digests of what an optimizer step read and left behind."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch

from reprocheck.protocol import EMPTY_DIGEST, FLAG_BACKWARD, FLAG_TAIL, THREAD_MARK
from reprocheck.worker.fingerprint.digest import DeferredDigest, DigestBuilder, Item, bytes_digest
from reprocheck.worker.fingerprint.tensor_refs import TensorRef
from reprocheck.worker.observe.endings import Endings
from reprocheck.worker.observe.steps.by_hand import ByHand
from reprocheck.worker.observe.steps.optimizer_state import (
    Hyperparameters,
    OptimizerStates,
    hyperparameters,
    names_in,
    state_digest,
)
from reprocheck.worker.observe.steps.parameters import Named, Owned, Trained, form_of, shape_of
from reprocheck.worker.observe.steps.pending import Pending
from reprocheck.worker.observe.steps.records import Digests, StepRecords
from reprocheck.worker.observe.top_models import TopModel, TopModels, is_main_thread, is_uninitialized
from reprocheck.worker.recorder import Recorder

if TYPE_CHECKING:
    from reprocheck.worker.observe.states import States

KEYED_OPTIMIZERS = 10_000
"""Optimizers whose initial parameters are fingerprinted as their key; a target may make one a step."""
MOST_COLLECTIONS = 256
"""Models met after which garbage is no longer collected at the first step of a new one."""


class Plan:
    """The parameters of one optimizer in the order of their names, so that their order in it does not count."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.hyperparameters = Hyperparameters()
        self.parameters: list[torch.Tensor] = []
        self.signature: tuple[int, ...] = ()
        self.is_of_main_thread = True
        """Which took its last step."""


class StepWriter:
    """Turns the state after a step into a record."""

    def __init__(self, recorder: Recorder, top_models: TopModels) -> None:
        self._recorder = recorder
        self._top_models = top_models
        self._plans: weakref.WeakKeyDictionary[torch.optim.Optimizer, Plan] = weakref.WeakKeyDictionary()
        self._models_met = 0
        """How many there were when garbage was last collected."""
        self._optimizers = 0
        self._lock = threading.Lock()
        self._reported: set[str] = set()
        self._shapes: set[tuple[int, ...]] = set()
        """Of what is trained. Those of single numbers are not among them."""
        self._by_hand = ByHand()
        self._owned = Owned(self._parameter_gone)
        self._optimizer_states = OptimizerStates(top_models, self._owned, self._plans.__contains__, self._report)
        self._records = StepRecords(recorder, self._step_counted)
        self.endings = Endings(lambda: recorder.is_open, self.is_trained, self._is_of_trained_model)
        self._skipped = 0
        self._states: States | None = None

    @property
    def count(self) -> int:
        """Steps taken so far."""
        return self._records.count

    @property
    def skipped(self) -> int:
        """Tensors so far that had no readable data."""
        return self._skipped + self._optimizer_states.skipped

    def wait_for_digests(self) -> None:
        """From now on a step is over only when the device has computed its digests: its time is measured."""
        self._records.waits = True

    def follow_states(self, states: States) -> None:
        """Write down what a training has to restore."""
        self._states = states
        self._records.waits = True

    @property
    def sees_states(self) -> bool:
        """Whether that is written down."""
        return self._states is not None

    def _step_counted(self, count: int) -> None:
        self.endings.step_taken()
        self._top_models.step = count

    def _parameter_gone(self, number: int) -> None:
        if self.endings.is_collecting:
            self.endings.unreachable.add(number)

    def has_met(self, optimizer: torch.optim.Optimizer) -> bool:
        """Whether it took a step before."""
        return optimizer in self._plans

    def names_in(self, optimizer: torch.optim.Optimizer) -> Named:
        """Names of its parameters by their place in it, for those that belong to no model."""
        plan = self._plans.get(optimizer)
        return names_in(optimizer, 0 if plan is None else plan.index)

    def before(self, optimizer: torch.optim.Optimizer) -> None:
        """Before a step: the first time, take down the parameters as they are still untouched."""
        if self.has_met(optimizer):
            return
        with self._lock:
            self._plans[optimizer] = plan = Plan(self._optimizers)
            self._optimizers += 1
            self._top_models.record_initial("step", names_in(optimizer, plan.index))
            self._arrange(plan, optimizer)
            key = ""
            if plan.index < KEYED_OPTIMIZERS:
                builder = DigestBuilder(on_host=True)
                for parameter in plan.parameters:
                    builder.tensor(parameter)
                key = builder.digest().hex()
            self._recorder.line("optimizer", index=plan.index, key=key, type=type(optimizer).__name__)
        if self._states is not None and is_main_thread():
            self._states.write("start", **self._state_of(optimizer, plan))

    def after(self, optimizer: torch.optim.Optimizer, pending: Pending) -> None:
        """After a step: write its record."""
        plan = self._plans.get(optimizer)
        if plan is None:  # the pre-hook did not see it (a step inside a step of a wrapper)
            self.before(optimizer)
            plan = self._plans[optimizer]
        signature = tuple(len(group["params"]) for group in optimizer.param_groups)
        if signature != plan.signature:
            with self._lock:
                self._top_models.record_initial("step", names_in(optimizer, plan.index))
                self._arrange(plan, optimizer)
        plan.is_of_main_thread = is_main_thread()
        called, top_models = pending.top_models, self._top_models_of_step(pending)
        kinds = self._take(pending)
        kinds["gradients"] = self._deferred([parameter.grad for parameter in plan.parameters])
        kinds["hyperparameters"] = plan.hyperparameters.digest(optimizer)
        kinds["parameters"], kinds["buffers"] = self._parameters_and_buffers(plan, top_models, called)
        kinds["optimizer state"] = self._optimizer_states.digest(optimizer, plan.parameters)
        if self._states is not None and is_main_thread():
            known = {kind: digest if isinstance(digest, bytes) else digest.digest() for kind, digest in kinds.items()}
            self._states.write("step", kinds=known, **self._state_of(optimizer, plan), models=self._models())
        self._records.write(kinds, plan.index, 0)

    def trained_by(self, optimizer: torch.optim.Optimizer) -> tuple[str, list[Trained], list[float]]:
        """An optimizer that took a step, by a name: what it trains, and its learning rates."""
        plan = self._plans[optimizer]
        named = [
            (self._top_models.name_of(parameter) or f"parameter{place}", parameter, parameter.grad)
            for place, parameter in enumerate(plan.parameters)
        ]
        rates = [float(group["lr"]) for group in optimizer.param_groups if "lr" in group]
        return f"{type(optimizer).__name__}#{plan.index}", named, rates

    def _state_of(self, optimizer: torch.optim.Optimizer, plan: Plan) -> dict[str, Any]:
        """What belongs to this optimizer alone, whatever models were met by now.

        In no order: names, by which parameters are put in order, come from the models.
        """
        states = [optimizer.state.get(parameter) for parameter in plan.parameters]
        return {
            "step": self.count,
            "optimizer": plan.index,
            "parameters": self._in_any_order([parameter] for parameter in plan.parameters).hex(),
            "gradients": self._in_any_order([p.grad] for p in plan.parameters if p.grad is not None).hex(),
            "state": bytes_digest(b"".join(sorted(state_digest(state) for state in states if state))).hex(),
            "entries": sum(bool(optimizer.state.get(parameter)) for parameter in plan.parameters),
            "hyperparameters": hyperparameters(optimizer).hex(),
            "rates": [float(group["lr"]) for group in optimizer.param_groups if "lr" in group],
        }

    def _models(self) -> list[dict[str, Any]]:
        """Each model by itself: a run that was started again has not met all of them yet."""
        models = []
        for root in self._top_models:
            module = root.module()
            if root.in_main_thread and module is not None:
                parameters = [p for p in module.parameters() if not is_uninitialized(p)]
                owned = any(map(self._owned.has, parameters))
                models.append(
                    {
                        "label": root.label,
                        "owned": owned,
                        "parameters": self._digest(parameters).hex(),
                        "buffers": self._digest(buffers).hex() if (buffers := list(root.live_buffers())) else "",
                        "evaluating": sum(not part.training for part in module.modules()),
                        "frozen": sum(not parameter.requires_grad for parameter in parameters),
                    }
                )
        return models

    def backward(
        self, leaves: list[torch.Tensor], pending: Pending, gradients: list[torch.Tensor] | None = None
    ) -> list[Trained]:
        """A backward pass of a target without any optimizer counts as its step. `gradients`: not those in `.grad`.

        What it trains comes back.
        """
        top_models = self._top_models_of_step(pending)
        kinds = self._take(pending)
        parameters = [parameter for root in top_models for parameter in self._unowned(root)] or leaves
        if leaves:
            self._by_hand.train(leaves)
            self._shapes.update(shape_of(leaf) for leaf in leaves)
        kinds["gradients"] = self._deferred(
            (parameter.grad for parameter in parameters) if gradients is None else gradients
        )
        kinds["parameters"] = self._deferred(parameters)
        self._by_hand.were(kinds["parameters"] if parameters is leaves else EMPTY_DIGEST)
        kinds["buffers"] = self._buffers(top_models)
        self._records.write(kinds, 0, FLAG_BACKWARD)
        slopes = [parameter.grad for parameter in parameters] if gradients is None else gradients
        known = slopes if len(slopes) == len(parameters) else [None] * len(parameters)
        return [
            (self._top_models.name_of(parameter) or f"leaf{place}", parameter, slope)
            for place, (parameter, slope) in enumerate(zip(parameters, known, strict=True))
        ]

    def tail(self, pending: Pending) -> None:
        """At the end: what was observed after the last step, and the models that are still there."""
        kinds = self._take(pending)
        passed: set[int] = set()
        trained: list[torch.Tensor] = []
        buffers: list[torch.Tensor] = []
        for root in self._top_models:
            module = root.module()
            if module is not None and root.is_in_use:
                passed.update(id(part) for part in module.modules())
                self._report(f"the end of {root.label}", "the thread that uses it still runs")
            elif module is not None:
                parameters, buffers = list(module.parameters()), [*buffers, *module.buffers()]
                self._shapes.update(shape_of(parameter) for parameter in parameters)
                trained += parameters
        trained += self._by_hand.finish(self._digest)
        for plan in list(
            self._plans.values()
        ):  # with a scheduler it is in a cycle, and there until garbage is collected
            trained += plan.parameters if plan.is_of_main_thread else []
        self._shapes -= {(), (1,)}
        left = self.endings.finish(trained, buffers, self._shapes, passed)
        self.found_again(self.endings.in_globals)
        if self.endings.is_full:
            self._report("models that were gone at the end", "there were too many of them")
        for kind, digests in left.items():
            kinds[kind] = bytes_digest(b"".join(sorted(digests))) if digests else EMPTY_DIGEST
        self._records.write(kinds, 0, FLAG_TAIL)

    def found_again(self, shapes: Iterable[tuple[int, ...]]) -> None:
        """What is left at the end, or returned, has these shapes."""
        self._by_hand.found_again(shapes)

    def report_updates(self) -> None:
        """Of tensors that were trained by hand, each step in the place of the last, and are gone at the end."""
        self._by_hand.report(self._recorder)

    def is_trained(self, tensor: torch.Tensor) -> bool:
        """Whether an optimizer or a backward pass of the main thread trained it: then its end is a result."""
        if self.is_owned(tensor) or id(tensor) in self.endings.unreachable:
            return True
        name = self._top_models.name_of(tensor)
        return name is not None and THREAD_MARK not in name

    def _is_of_trained_model(self, buffers: Any) -> bool:
        """Whether these are the buffers of a part of a model that was trained: a norm has no parameters of its own."""
        return any(root.in_main_thread and root.is_trained and root.holds(buffers) for root in self._top_models)

    def _in_any_order(self, groups: Iterable[list[torch.Tensor]]) -> bytes:
        """Of models: which was called first may depend on a set, and means nothing."""
        found = sorted(self._digest(t for t in group if not is_uninitialized(t)) for group in groups if group)
        return bytes_digest(b"".join(found)) if found else EMPTY_DIGEST

    def _take(self, pending: Pending) -> Digests:
        kinds = pending.take()
        self._skipped, pending.skipped = self._skipped + pending.skipped, 0
        return kinds

    def _top_models_of_step(self, pending: Pending) -> list[TopModel]:
        """The models that belong to a step: in the main thread all of its own, elsewhere those just called.

        A thread of a pool serves one task after the other; which models it met before depends on scheduling.
        """
        if not is_main_thread():
            return list(pending.top_models)
        self._collect_old_models()
        return [root for root in self._top_models if root.in_main_thread]

    def _collect_old_models(self) -> None:
        """A model in a reference cycle (the last fold's) is there until garbage is collected, and that is chance."""
        if self._models_met != self._top_models.changes:
            self._models_met = self._top_models.changes
            if (
                self._top_models.changes <= MOST_COLLECTIONS
                and sum(root.module() is not None for root in self._top_models) > 1
            ):
                gc.collect()

    def _arrange(self, plan: Plan, optimizer: torch.optim.Optimizer) -> None:
        plan.signature = tuple(len(group["params"]) for group in optimizer.param_groups)
        parameters = {id(p): p for group in optimizer.param_groups for p in group["params"]}
        plan.parameters = sorted(parameters.values(), key=lambda p: self._top_models.name_of(p) or "")
        for parameter in plan.parameters:
            self._owned.add(parameter)
            self._shapes.add(shape_of(parameter))

    def _unowned(self, root: TopModel) -> list[torch.Tensor]:
        """Parameters of a model that no optimizer holds: frozen, averaged or updated by hand."""
        signature = (self._top_models.changes, len(self._owned))
        if root.unowned_at != signature or not is_main_thread():
            root.forget_layout()
            module = root.module()
            found = {id(p): p for p in (module.parameters() if module is not None else ())}.values()
            owned = {id(p) for p in found if self.is_owned(p)}
            root.is_trained = root.is_trained or bool(owned)
            root.unowned = [TensorRef(p) for p in found if id(p) not in owned and not is_uninitialized(p)]
            root.unowned_at = signature
        alive = (reference() for reference in root.unowned)
        return [parameter for parameter in alive if parameter is not None]

    def _parameters_and_buffers(
        self, plan: Plan, top_models: list[TopModel], called: dict[TopModel, None]
    ) -> tuple[bytes | DeferredDigest, bytes | DeferredDigest]:
        """After a step. A model that is as it was after the last one adds nothing: it may be garbage by now."""
        parameters, buffers = DigestBuilder(), DigestBuilder()
        parameters.all(list[Item](plan.parameters))
        has_buffers, always = False, not is_main_thread()
        for root in top_models:
            unowned, own = self._unowned(root), list(root.live_buffers())
            is_on_device = any(tensor.is_cuda for tensor in (*unowned, *own))  # to wait for its digest is too dear
            if is_on_device:
                mark: Any = [form_of(tensor) for tensor in (*unowned, *own)]
                adds = always or root in called or mark != root.mark
            else:
                mark = self._digest(unowned), self._digest(own)
                adds = always or mark != root.mark
            root.mark = mark
            if not adds:
                continue
            has_buffers = has_buffers or bool(own)
            for builder, tensors, digest in ((parameters, unowned, mark[0]), (buffers, own, mark[1])):
                if is_on_device:
                    builder.all(list[Item](tensors))
                elif tensors:
                    builder.bytes(digest)
        self._skipped += parameters.skipped + buffers.skipped
        return parameters.deferred(), buffers.deferred() if has_buffers else EMPTY_DIGEST

    def _digest(self, tensors: Iterable[torch.Tensor | None]) -> bytes:
        deferred = self._deferred(tensors)
        return deferred if isinstance(deferred, bytes) else deferred.digest()

    def _deferred(self, tensors: Iterable[torch.Tensor | None]) -> bytes | DeferredDigest:
        builder = DigestBuilder()
        builder.all(list[Item](tensors))
        self._skipped += builder.skipped
        return builder.deferred()

    def is_owned(self, tensor: torch.Tensor) -> bool:
        """Whether an optimizer that took a step holds it."""
        return self._owned.has(tensor)

    def _report(self, what: str, reason: str, is_result: bool = False) -> None:
        if what not in self._reported and len(self._reported) < 100:
            self._reported.add(what)
            self._recorder.unobserved(what, reason, is_result=is_result)

    def _buffers(self, top_models: list[TopModel]) -> bytes | DeferredDigest:
        buffers = [buffer for root in top_models for buffer in root.live_buffers()]
        return self._deferred(buffers) if buffers else EMPTY_DIGEST
