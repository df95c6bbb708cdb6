"""One step record: digests of what an optimizer step read and left behind."""

from __future__ import annotations

import gc
import threading
import types
import weakref
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from reprocheck.protocol import (
    DECIDING_KINDS,
    EMPTY_DIGEST,
    FLAG_BACKWARD,
    FLAG_DEVICE,
    FLAG_TAIL,
    FLAG_THREAD,
    STEP_HEADER,
    STEP_KINDS,
    THREAD_MARK,
)
from reprocheck.worker.bootstrap.seeding import GENERATORS, state_digest
from reprocheck.worker.fingerprint import device_digest
from reprocheck.worker.fingerprint.digest import DeferredDigest, DigestBuilder, bytes_digest
from reprocheck.worker.fingerprint.leaves import (
    OF_OPTIMIZER,
    OPAQUE,
    REFERENCE,
    Leaf,
    key_name,
    leaf_key,
    leaves_of,
    member_leaves,
    optimizer_members,
)
from reprocheck.worker.observe.endings import Endings
from reprocheck.worker.observe.top_models import TopModel, TopModels, is_main_thread, is_uninitialized
from reprocheck.worker.recorder import Recorder

if TYPE_CHECKING:
    from reprocheck.worker.observe.states import States

KEYED_OPTIMIZERS = 10_000
"""Optimizers whose initial parameters are fingerprinted as their key; a target may make one a step."""
GRAPH_NODES = 10_000
"""Nodes of an autograd graph looked at to find its leaves."""

RECENT_OUTPUTS = 64
MOST_COLLECTIONS = 256
"""Models met after which garbage is no longer collected at the first step of a new one."""
MOST_CALLS = 64
"""Calls of models that may wait for a backward pass."""
MOST_WAITING = 64
"""Steps whose record may wait for a device."""

Named = list[tuple[str, torch.Tensor]]
Trained = tuple[str, torch.Tensor, torch.Tensor | None]
"""Name, parameter and gradient of what a step trained."""
Digests = dict[str, bytes | DeferredDigest]


class Call:
    """A call of a model where gradients are taken: where its outputs are in the graph, and their digest."""

    __slots__ = ("digest", "nodes")

    def __init__(self, nodes: frozenset[int], digest: bytes | DeferredDigest) -> None:
        self.nodes = nodes
        self.digest = digest


def _node_number(node: Any) -> int | None:
    """A number that no other node of this thread has. To keep the node would keep the graph."""
    return None if node is None else int(node._sequence_nr())


class Pending(threading.local):
    """What a thread observed since its last step."""

    def __init__(self) -> None:
        self.depth = 0
        self.kinds: dict[str, DigestBuilder] = {}
        self.evaluated: dict[str, bytes] = {}
        """By kind, what was last seen where no gradient is taken."""
        self.skipped = 0
        """Tensors fed so far that had no readable data."""
        self.top_models: dict[TopModel, None] = {}
        """Models called since the last step."""
        self._made: dict[int, StorageWeakRef] = {}
        """Memory of what models gave lately."""
        self._calls: deque[Call] = deque()
        """Calls of models that a backward pass may follow."""

    def called(self, outputs: list[torch.Tensor]) -> None:
        """What a model gave where gradients are taken: an observation, unless a backward pass makes one of it."""
        builder = DigestBuilder()
        for tensor in outputs:
            builder.tensor(tensor)
        self.skipped += builder.skipped
        nodes = frozenset(number for tensor in outputs if (number := _node_number(tensor.grad_fn)) is not None)
        if len(self._calls) >= MOST_CALLS:
            self._observe(self._calls.popleft())
        self._calls.append(Call(nodes, builder.deferred()))
        if not nodes:
            self._observe(self._calls.pop())

    def followed(self, losses: list[torch.Tensor]) -> None:
        """A backward pass starts here: the calls that it reaches are seen in loss and gradients."""
        if not self._calls:
            return
        wanted = {number: call for call in self._calls for number in call.nodes}
        todo = deque(loss.grad_fn for loss in losses if loss.grad_fn is not None)
        met: set[Any] = set(todo)
        while todo and wanted and len(met) < GRAPH_NODES:
            node = todo.popleft()
            call = wanted.get(int(node._sequence_nr()))
            if call is not None:
                self._calls.remove(call)
                wanted = {number: other for number, other in wanted.items() if other is not call}
            for following, _ in node.next_functions:
                if following is not None and following not in met:
                    met.add(following)
                    todo.append(following)

    def _observe(self, call: Call) -> None:
        digest = call.digest if isinstance(call.digest, bytes) else call.digest.digest()
        if self.evaluated.get("followed by nothing") != digest:
            self.evaluated["followed by nothing"] = digest
            self.feed("forward", digest, ())

    def returned(self, storage: torch.UntypedStorage) -> None:
        """A model gave a tensor in this memory."""
        reference = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
        self._made.pop(reference.cdata, None)
        self._made[reference.cdata] = reference
        if len(self._made) > RECENT_OUTPUTS:
            del self._made[next(iter(self._made))]

    def is_made(self, storage: int | None) -> bool:
        """Whether a model made what is in this memory: fake images of a GAN are no batch."""
        reference = self._made.get(storage) if storage is not None else None
        return reference is not None and not reference.expired()  # type: ignore[no-untyped-call]

    def feed(self, kind: str, label: bytes, tensors: Iterable[torch.Tensor]) -> None:
        """Add tensors to the digest of a kind."""
        builder = self.kinds.get(kind)
        if builder is None:
            builder = self.kinds[kind] = DigestBuilder()
        builder.bytes(label)
        for tensor in tensors:
            builder.tensor(tensor)

    def feed_evaluation(self, kind: str, label: bytes, tensors: Iterable[torch.Tensor]) -> None:
        """The same, of a call without gradients: one that repeats the last adds nothing.

        How often a latency benchmark calls its model depends on the clock, and changes no number.
        """
        builder = DigestBuilder()
        builder.bytes(label)
        for tensor in tensors:
            builder.tensor(tensor)
        self.skipped += builder.skipped
        digest = builder.digest()
        if self.evaluated.get(kind) != digest:
            self.evaluated[kind] = digest
            self.feed(kind, digest, ())

    def digest(self) -> bytes:
        """Of all that is fed and not yet taken."""
        return bytes_digest(b"".join(kind.encode() + self.kinds[kind].digest() for kind in sorted(self.kinds)))

    def take(self) -> Digests:
        """The digests of all kinds fed; they start again."""
        while self._calls:
            self._observe(self._calls.popleft())
        digests = {kind: builder.deferred() for kind, builder in self.kinds.items()}
        self.skipped += sum(builder.skipped for builder in self.kinds.values())
        self.kinds, self.evaluated = {}, {}
        self.top_models = {}
        return digests


class Plan:
    """The parameters of one optimizer in the order of their names, so that their order in it does not count."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.parameters: list[torch.Tensor] = []
        self.signature: tuple[int, ...] = ()


class StepWriter:
    """Turns the state after a step into a record."""

    def __init__(self, recorder: Recorder, top_models: TopModels) -> None:
        self._recorder = recorder
        self._top_models = top_models
        self._plans: weakref.WeakKeyDictionary[torch.optim.Optimizer, Plan] = weakref.WeakKeyDictionary()
        self._owned: dict[int, weakref.ref[torch.Tensor]] = {}
        self._models_met = 0
        """How many there were when garbage was last collected."""
        self._optimizers = 0
        self._chain = EMPTY_DIGEST
        self._waiting: deque[tuple[int, int, int, Digests]] = deque()
        """Number, optimizer, flags and digests of steps that are not written yet."""
        self._lock = threading.Lock()
        self._reported: set[str] = set()
        self._shapes: set[tuple[int, ...]] = set()
        """Of what is trained. Those of single numbers are not among them."""
        self._bare: list[torch.Tensor] = []
        """Tensors that the last backward pass trained without any optimizer: they are held, and updated after it."""
        self._bare_forms: list[tuple[int, int, int]] = []
        self._bare_before: bytes | DeferredDigest = EMPTY_DIGEST
        self._replaced: set[tuple[int, ...]] = set()
        """Shapes of those that nobody updated in place: what took their place was not seen."""
        self.endings = Endings(lambda: recorder.is_open, self.is_trained)
        self.count = 0
        self.skipped = 0
        self.states: States | None = None
        self.waits = False
        """A step is over only when the device has computed its digests: its time is measured."""

    def before(self, optimizer: torch.optim.Optimizer) -> None:
        """Before a step: the first time, take down the parameters as they are still untouched."""
        if optimizer in self._plans:
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
        if self.states is not None and is_main_thread():
            self.states.write("start", **self._state_of(optimizer, plan))

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
        called, top_models = pending.top_models, self._top_models_of_step(pending)
        kinds = self._take(pending)
        kinds["gradients"] = self._deferred(parameter.grad for parameter in plan.parameters)
        kinds["hyperparameters"] = _hyperparameters(optimizer)
        kinds["parameters"], kinds["buffers"] = self._parameters_and_buffers(plan, top_models, called)
        kinds["optimizer state"] = self._state(optimizer, plan)
        if self.states is not None and is_main_thread():
            known = {kind: digest if isinstance(digest, bytes) else digest.digest() for kind, digest in kinds.items()}
            self.states.write("step", kinds=known, **self._state_of(optimizer, plan), models=self._models())
        self._write(kinds, plan.index, 0)

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
            "state": bytes_digest(b"".join(sorted(_state_digest(state) for state in states if state))).hex(),
            "entries": sum(bool(optimizer.state.get(parameter)) for parameter in plan.parameters),
            "hyperparameters": _hyperparameters(optimizer).hex(),
            "rates": [float(group["lr"]) for group in optimizer.param_groups if "lr" in group],
        }

    def _models(self) -> list[dict[str, Any]]:
        """Each model by itself: a run that was started again has not met all of them yet."""
        models = []
        for root in self._top_models:
            module = root.module()
            if root.in_main_thread and module is not None:
                parameters = [p for p in module.parameters() if not is_uninitialized(p)]
                owned = any((own := self._owned.get(id(p))) is not None and own() is p for p in parameters)
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
            self._bare, self._bare_forms = leaves, [_form(leaf) for leaf in leaves]
            self._shapes.update(_shape(leaf) for leaf in leaves)
        kinds["gradients"] = self._deferred(
            (parameter.grad for parameter in parameters) if gradients is None else gradients
        )
        kinds["parameters"] = self._deferred(parameters)
        self._bare_before = kinds["parameters"] if parameters is leaves else EMPTY_DIGEST
        kinds["buffers"] = self._buffers(top_models)
        self._write(kinds, 0, FLAG_BACKWARD)
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
                self._shapes.update(_shape(parameter) for parameter in parameters)
                trained += parameters
        unwritten = [_form(tensor) for tensor in self._bare] == self._bare_forms  # an update may be zero
        if self._bare and unwritten and self._bare_before != EMPTY_DIGEST:
            before = self._bare_before if isinstance(self._bare_before, bytes) else self._bare_before.digest()
            if self._digest(self._bare) == before:
                self._replaced = {_shape(tensor) for tensor in self._bare}
        trained += self._bare
        self._bare = []
        self._shapes -= {(), (1,)}
        left = self.endings.finish(trained, buffers, self._shapes, passed)
        self.found_again(self.endings.in_globals)
        if self.endings.is_full:
            self._report("models that were gone at the end", "there were too many of them")
        for kind, digests in left.items():
            kinds[kind] = bytes_digest(b"".join(sorted(digests))) if digests else EMPTY_DIGEST
        self._write(kinds, 0, FLAG_TAIL)
        self._write_waiting(wait=True)

    def found_again(self, shapes: Iterable[tuple[int, ...]]) -> None:
        """What is left at the end, or returned, has these shapes."""
        self._replaced.difference_update(shapes)

    def report_updates(self) -> None:
        """Of tensors that were trained by hand, each step in the place of the last, and are gone at the end."""
        if self._replaced:
            what = "the last update of tensors trained by hand"
            reason = "what takes their place after a backward pass is seen only in the next one, or where it is left"
            self._recorder.unobserved(what, reason, is_result=True, help="return the tensors that were trained")

    def is_trained(self, tensor: torch.Tensor) -> bool:
        """Whether an optimizer or a backward pass of the main thread trained it: then its end is a result."""
        if self.is_owned(tensor) or id(tensor) in self.endings.unreachable:
            return True
        name = self._top_models.name_of(tensor)
        return name is not None and THREAD_MARK not in name

    def _in_any_order(self, groups: Iterable[list[torch.Tensor]]) -> bytes:
        """Of models: which was called first may depend on a set, and means nothing."""
        found = sorted(self._digest(t for t in group if not is_uninitialized(t)) for group in groups if group)
        return bytes_digest(b"".join(found)) if found else EMPTY_DIGEST

    def _take(self, pending: Pending) -> Digests:
        kinds = pending.take()
        self.skipped, pending.skipped = self.skipped + pending.skipped, 0
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
            self._own(parameter)
            self._shapes.add(_shape(parameter))

    def _own(self, parameter: torch.Tensor) -> None:
        number = id(parameter)

        def gone(reference: weakref.ref[torch.Tensor]) -> None:
            if self._owned.get(number) is reference:
                del self._owned[number]
                if self.endings.is_collecting:
                    self.endings.unreachable.add(number)

        if not self.is_owned(parameter):
            self._owned[number] = weakref.ref(parameter, gone)

    def _unowned(self, root: TopModel) -> list[torch.Tensor]:
        """Parameters of a model that no optimizer holds: frozen, averaged or updated by hand."""
        signature = (self._top_models.changes, len(self._owned))
        if root.unowned_at != signature or not is_main_thread():
            root.forget_layout()
            module = root.module()
            found = {id(p): p for p in (module.parameters() if module is not None else ())}.values()
            root.unowned = [weakref.ref(p) for p in found if not self.is_owned(p) and not is_uninitialized(p)]
            root.unowned_at = signature
        alive = (reference() for reference in root.unowned)
        return [parameter for parameter in alive if parameter is not None]

    def _parameters_and_buffers(
        self, plan: Plan, top_models: list[TopModel], called: dict[TopModel, None]
    ) -> tuple[bytes | DeferredDigest, bytes | DeferredDigest]:
        """After a step. A model that is as it was after the last one adds nothing: it may be garbage by now."""
        parameters, buffers = DigestBuilder(), DigestBuilder()
        for parameter in plan.parameters:
            parameters.tensor(parameter)
        has_buffers, always = False, not is_main_thread()
        for root in top_models:
            unowned, own = self._unowned(root), list(root.live_buffers())
            is_on_device = any(tensor.is_cuda for tensor in (*unowned, *own))  # to wait for its digest is too dear
            if is_on_device:
                mark: Any = [_form(tensor) for tensor in (*unowned, *own)]
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
                    for tensor in tensors:
                        builder.tensor(tensor)
                elif tensors:
                    builder.bytes(digest)
        self.skipped += parameters.skipped + buffers.skipped
        return parameters.deferred(), buffers.deferred() if has_buffers else EMPTY_DIGEST

    def _digest(self, tensors: Iterable[torch.Tensor | None]) -> bytes:
        deferred = self._deferred(tensors)
        return deferred if isinstance(deferred, bytes) else deferred.digest()

    def _deferred(self, tensors: Iterable[torch.Tensor | None]) -> bytes | DeferredDigest:
        builder = DigestBuilder()
        for tensor in tensors:
            if tensor is None:
                builder.bytes(b"none")
            else:
                builder.tensor(tensor)
        self.skipped += builder.skipped
        return builder.deferred()

    def _state(self, optimizer: torch.optim.Optimizer, plan: Plan) -> bytes | DeferredDigest:
        """With what else an optimizer holds: entries of its state for no parameter, attributes of its own."""
        builder = DigestBuilder()
        try:
            held = 0
            for parameter in plan.parameters:
                state = optimizer.state.get(parameter)
                held += state is not None
                if state:
                    _feed(builder, state, 0)
            if len(optimizer.state) > held:
                self._feed_others(builder, optimizer, plan)
            if any(name not in OF_OPTIMIZER and not name.startswith("_optimizer_") for name in vars(optimizer)):
                leaves = list(member_leaves(optimizer_members(optimizer), self._is_known))
                _feed_leaves(builder, leaves)
                self._report_unread(optimizer, leaves)
        except Exception as error:
            self._report(
                f"the state of {type(optimizer).__name__}", f"its own code raises {type(error).__name__}", True
            )
        self.skipped += builder.skipped
        return builder.deferred()

    def _feed_others(self, builder: DigestBuilder, optimizer: torch.optim.Optimizer, plan: Plan) -> None:
        known = {id(parameter) for parameter in plan.parameters}
        others = []
        for key, value in optimizer.state.items():
            if id(key) not in known:
                is_tensor = isinstance(key, torch.Tensor)
                name = (self._top_models.name_of(key) or f"tensor {tuple(key.shape)}") if is_tensor else key_name(key)
                others.append((name, value))
        for name, value in sorted(others, key=lambda pair: pair[0]):
            builder.bytes(f"other {name}".encode("utf-8", "surrogatepass"))
            _feed(builder, value, 0)

    def _is_known(self, value: Any) -> bool:
        """Whether an attribute is seen elsewhere, or no data: a trained parameter, another optimizer, a function."""
        kind = type(value)
        if issubclass(kind, torch.Tensor):
            return self.is_owned(value)
        if issubclass(kind, torch.optim.Optimizer):
            return value in self._plans
        return issubclass(kind, (types.FunctionType, types.MethodType, types.BuiltinFunctionType))

    def is_owned(self, tensor: torch.Tensor) -> bool:
        """Whether an optimizer that took a step holds it."""
        owned = self._owned.get(id(tensor))
        return owned is not None and owned() is tensor

    def _report_unread(self, optimizer: torch.optim.Optimizer, leaves: list[Leaf]) -> None:
        for leaf in leaves:
            if leaf.kind == OPAQUE:
                self._report(f"{type(optimizer).__name__}.{leaf.name}", leaf.reason)

    def _report(self, what: str, reason: str, is_result: bool = False) -> None:
        if what not in self._reported and len(self._reported) < 100:
            self._reported.add(what)
            self._recorder.unobserved(what, reason, is_result=is_result)

    def _buffers(self, top_models: list[TopModel]) -> bytes | DeferredDigest:
        buffers = [buffer for root in top_models for buffer in root.live_buffers()]
        return self._deferred(buffers) if buffers else EMPTY_DIGEST

    def _write(self, kinds: Digests, optimizer: int, flags: int) -> None:
        if is_main_thread():
            for generator in GENERATORS:
                kinds[f"rng {generator}"] = state_digest(generator) or EMPTY_DIGEST
        else:
            flags |= FLAG_THREAD
        if any(isinstance(digest, DeferredDigest) for digest in kinds.values()):
            flags |= FLAG_DEVICE
            device_digest.send()
        while device_digest.problems:
            self._recorder.line("note", text=device_digest.problems.pop())
        with self._lock:
            self._waiting.append((self.count, optimizer, flags, kinds))
            self._write_waiting(wait=False)
            if not flags & FLAG_TAIL:
                self.count += 1
                self.endings.step_taken()
                self._top_models.step = self.count

    def _write_waiting(self, wait: bool) -> None:
        """Write the records of steps whose digests are there, in order; or wait for all."""
        while self._waiting:
            number, optimizer, flags, kinds = self._waiting[0]
            must = wait or self.waits or self.states is not None or len(self._waiting) > MOST_WAITING
            if not must and any(isinstance(digest, DeferredDigest) and not digest.is_here for digest in kinds.values()):
                return
            self._waiting.popleft()
            digests = [self._ready(kinds.get(kind, EMPTY_DIGEST)) for kind in STEP_KINDS]
            deciding = b"".join(
                digest for kind, digest in zip(STEP_KINDS, digests, strict=True) if kind in DECIDING_KINDS
            )
            self._chain = bytes_digest(self._chain + optimizer.to_bytes(4, "little") + deciding)
            header = STEP_HEADER.pack(number & 0xFFFFFFFF, optimizer, flags, 0)
            self._recorder.step(header + b"".join(digests) + self._chain)

    def _ready(self, digest: bytes | DeferredDigest) -> bytes:
        if isinstance(digest, bytes):
            return digest
        try:
            return digest.digest()
        except LookupError:  # what is not known must not be taken for a difference: the run has no verdict
            self._recorder.abandon("a GPU could not compute the digests of a step")
            return EMPTY_DIGEST


def names_in(optimizer: torch.optim.Optimizer, index: int = 0) -> Named:
    """Names of its parameters by their place in it, for those that belong to no model."""
    names: Named = []
    prefix = "optimizer" if index == 0 else f"optimizer#{index + 1}"
    for g, group in enumerate(optimizer.param_groups):
        given = group.get("param_names")
        for p, parameter in enumerate(group["params"]):
            own = given[p] if given else f"group{g}.parameter{p}"
            names.append((f"{prefix}.{own}", parameter))
    return names


def _state_digest(state: Any) -> bytes:
    builder = DigestBuilder()
    _feed(builder, state, 0)
    return builder.digest()


def key_text(pair: tuple[Any, Any]) -> str:
    """By what a dict's items are put in order: that of insertion may depend on a set, and means nothing."""
    return str(pair[0]) if isinstance(pair[0], (str, int)) else ""


def _hyperparameters(optimizer: torch.optim.Optimizer) -> bytes:
    builder = DigestBuilder()
    for group in optimizer.param_groups:
        for name, value in group.items():
            if name not in ("params", "param_names"):
                builder.bytes(key_name(name).encode("utf-8", "surrogatepass"))
                _feed(builder, value, 0)
    return builder.digest()


_PLAIN = frozenset({type(None), bool, int, float, str})


def _feed(builder: DigestBuilder, value: Any, depth: int) -> None:
    """Tensors and plain values of a nested state; anything else by its leaves, as a returned value."""
    kind = type(value)
    if kind in _ORDINARY_TENSORS:
        builder.tensor(value)
    elif kind in _PLAIN:
        builder.bytes(repr(value).encode("utf-8", "surrogatepass"))
    elif kind in (dict, defaultdict, OrderedDict) and depth < 8:
        for key, item in sorted(((_key(key), item) for key, item in value.items()), key=lambda pair: pair[0]):
            builder.bytes(key)
            _feed(builder, item, depth + 1)
    elif kind in (list, tuple, deque) and depth < 8:
        builder.bytes(b"list%d" % len(value))
        for item in value:
            _feed(builder, item, depth + 1)
    else:
        _feed_leaves(builder, leaves_of(value))


def _form(tensor: torch.Tensor) -> tuple[int, int, int]:
    """Changes when it is written to or replaced, except through `.data`. Never compared with another run's."""
    try:
        return id(tensor), tensor.data_ptr(), tensor._version
    except RuntimeError:  # of an inference tensor, or a placeholder
        return id(tensor), 0, 0


_ORDINARY_TENSORS = frozenset({torch.Tensor, torch.nn.Parameter})


def _key(key: Any) -> bytes:
    """A key of a state: by its type where it is no text."""
    if type(key) is str:
        return key.encode("utf-8", "surrogatepass")
    return f"{type(key).__name__} {key_name(key)}".encode("utf-8", "surrogatepass")


def _feed_leaves(builder: DigestBuilder, leaves: Iterable[Leaf]) -> None:
    for leaf in leaves:
        if leaf.kind != REFERENCE:
            builder.bytes(leaf_key(leaf).encode("utf-8", "surrogatepass"))


def _shape(tensor: torch.Tensor) -> tuple[int, ...]:
    return () if is_uninitialized(tensor) else tuple(tensor.shape)


def graph_leaves(outputs: Iterable[torch.Tensor]) -> Named:
    """Leaf tensors that a backward from `outputs` reaches, in the order of the graph."""
    found: dict[int, torch.Tensor] = {}
    todo: list[Any] = [output.grad_fn for output in outputs if output.grad_fn is not None]
    met: set[Any] = set(todo)
    while todo and len(met) < GRAPH_NODES:
        node = todo.pop(0)
        variable = getattr(node, "variable", None)
        if isinstance(variable, torch.Tensor):
            found.setdefault(id(variable), variable)
        for following, _ in node.next_functions:
            if following is not None and following not in met:
                met.add(following)
                todo.append(following)
    return [(f"leaf{index}", leaf) for index, leaf in enumerate(found.values())]
