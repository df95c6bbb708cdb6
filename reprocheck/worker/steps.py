"""One step record: digests of what an optimizer step read and left behind."""

from __future__ import annotations

import threading
import weakref
from collections import deque
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
)
from reprocheck.worker import device_digest
from reprocheck.worker.digest import Combined, Later, bytes_digest
from reprocheck.worker.recorder import Recorder
from reprocheck.worker.roots import Root, Roots, is_main_thread, is_uninitialized
from reprocheck.worker.seeding import GENERATORS, state_digest

if TYPE_CHECKING:
    from reprocheck.worker.states import States

KEYED_OPTIMIZERS = 10_000
"""Optimizers whose initial parameters are fingerprinted as their key; a target may make one a step."""
GRAPH_NODES = 10_000
"""Nodes of an autograd graph looked at to find its leaves."""

RECENT_OUTPUTS = 64
MOST_WAITING = 64
"""Steps whose record may wait for a device."""

Named = list[tuple[str, torch.Tensor]]
Digests = dict[str, bytes | Later]


class Pending(threading.local):
    """What a thread observed since its last step."""

    def __init__(self) -> None:
        self.depth = 0
        self.kinds: dict[str, Combined] = {}
        self.evaluated: dict[str, bytes] = {}
        """By kind, what was last seen where no gradient is taken."""
        self.skipped = 0
        """Tensors fed so far that had no readable data."""
        self.roots: dict[Root, None] = {}
        """Models called since the last step."""
        self._made: dict[int, StorageWeakRef] = {}
        """Memory of what models gave lately."""

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
        combined = self.kinds.get(kind)
        if combined is None:
            combined = self.kinds[kind] = Combined()
        combined.bytes(label)
        for tensor in tensors:
            combined.tensor(tensor)

    def feed_evaluation(self, kind: str, label: bytes, tensors: Iterable[torch.Tensor]) -> None:
        """The same, of a call without gradients: one that repeats the last adds nothing.

        How often a latency benchmark calls its model hangs on the clock, and changes no number.
        """
        combined = Combined()
        combined.bytes(label)
        for tensor in tensors:
            combined.tensor(tensor)
        self.skipped += combined.skipped
        digest = combined.digest()
        if self.evaluated.get(kind) != digest:
            self.evaluated[kind] = digest
            self.feed(kind, digest, ())

    def digest(self) -> bytes:
        """Of all that is fed and not yet taken."""
        return bytes_digest(b"".join(kind.encode() + self.kinds[kind].digest() for kind in sorted(self.kinds)))

    def take(self) -> Digests:
        """The digests of all kinds fed; they start anew."""
        digests = {kind: combined.later() for kind, combined in self.kinds.items()}
        self.skipped += sum(combined.skipped for combined in self.kinds.values())
        self.kinds, self.evaluated = {}, {}
        self.roots = {}
        return digests


class Plan:
    """The parameters of one optimizer in the order of their names, so that their order in it does not count."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.parameters: list[torch.Tensor] = []
        self.signature: tuple[int, ...] = ()


class _Others(threading.local):
    """Parameters that no optimizer holds, as long as neither models nor optimizers change."""

    def __init__(self) -> None:
        self.signature = (-1, -1, -1)
        self.parameters: list[weakref.ref[torch.Tensor]] = []


class StepWriter:
    """Turns the state after a step into a record."""

    def __init__(self, recorder: Recorder, roots: Roots) -> None:
        self._recorder = recorder
        self._roots = roots
        self._plans: weakref.WeakKeyDictionary[torch.optim.Optimizer, Plan] = weakref.WeakKeyDictionary()
        self._owned: dict[int, weakref.ref[torch.Tensor]] = {}
        self._others = _Others()
        self._optimizers = 0
        self._chain = EMPTY_DIGEST
        self._waiting: deque[tuple[int, int, int, Digests]] = deque()
        """Number, optimizer, flags and digests of steps that are not written yet."""
        self._lock = threading.Lock()
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
            self._roots.record_initial("step", names_in(optimizer, plan.index))
            self._arrange(plan, optimizer)
            key = ""
            if plan.index < KEYED_OPTIMIZERS:
                combined = Combined(on_host=True)
                for parameter in plan.parameters:
                    combined.tensor(parameter)
                key = combined.digest().hex()
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
                self._roots.record_initial("step", names_in(optimizer, plan.index))
                self._arrange(plan, optimizer)
        roots = self._roots_of_step(pending)
        kinds = self._take(pending)
        kinds["gradients"] = self._later(parameter.grad for parameter in plan.parameters)
        kinds["hyperparameters"] = _hyperparameters(optimizer)
        kinds["parameters"] = self._later([*plan.parameters, *self._unowned(roots)])
        kinds["buffers"] = self._buffers(roots)
        kinds["optimizer state"] = self._state(optimizer, plan)
        if self.states is not None and is_main_thread():
            known = {kind: digest if isinstance(digest, bytes) else digest.digest() for kind, digest in kinds.items()}
            self.states.write("step", kinds=known, **self._state_of(optimizer, plan), models=self._models())
        self._write(kinds, plan.index, 0)

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
        for root in self._roots:
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
    ) -> None:
        """A backward pass of a target without any optimizer counts as its step. `gradients`: not those in `.grad`."""
        roots = self._roots_of_step(pending)
        kinds = self._take(pending)
        parameters = self._unowned(roots) or leaves
        kinds["gradients"] = self._later(
            (parameter.grad for parameter in parameters) if gradients is None else gradients
        )
        kinds["parameters"] = self._later(parameters)
        kinds["buffers"] = self._buffers(roots)
        self._write(kinds, 0, FLAG_BACKWARD)

    def tail(self, pending: Pending) -> None:
        """At the end: what was observed after the last step, and the models that are still there."""
        kinds = self._take(pending)
        modules = [module for root in self._roots if root.in_main_thread and (module := root.module()) is not None]
        parameters: list[list[torch.Tensor]] = [list(module.parameters()) for module in modules]
        buffers = [list(module.buffers()) for module in modules]
        kinds["parameters"] = self._in_any_order(parameters)
        kinds["buffers"] = self._in_any_order(buffers)
        on_device = any(tensor.is_cuda for group in parameters + buffers for tensor in group)
        self._write(kinds, 0, FLAG_TAIL | (FLAG_DEVICE if on_device else 0))
        self._write_waiting(wait=True)

    def _in_any_order(self, groups: Iterable[list[torch.Tensor]]) -> bytes:
        """Of models: which was called first may hang on a set, and means nothing."""
        found = sorted(self._digest(t for t in group if not is_uninitialized(t)) for group in groups if group)
        return bytes_digest(b"".join(found)) if found else EMPTY_DIGEST

    def _take(self, pending: Pending) -> Digests:
        kinds = pending.take()
        self.skipped, pending.skipped = self.skipped + pending.skipped, 0
        return kinds

    def _roots_of_step(self, pending: Pending) -> list[Root]:
        """The models that belong to a step: in the main thread all of its own, elsewhere those just called.

        A thread of a pool serves one task after the other; which models it met before hangs on scheduling.
        """
        if is_main_thread():
            return [root for root in self._roots if root.in_main_thread]
        return list(pending.roots)

    def _arrange(self, plan: Plan, optimizer: torch.optim.Optimizer) -> None:
        plan.signature = tuple(len(group["params"]) for group in optimizer.param_groups)
        parameters = {id(p): p for group in optimizer.param_groups for p in group["params"]}
        plan.parameters = sorted(parameters.values(), key=lambda p: self._roots.name_of(p) or "")
        for parameter in plan.parameters:
            self._owned[id(parameter)] = weakref.ref(parameter)

    def _unowned(self, roots: list[Root]) -> list[torch.Tensor]:
        """Parameters of these models that no optimizer holds: frozen, averaged or updated by hand."""
        signature = (len(roots), self._roots.changes, len(self._owned))
        if self._others.signature != signature or not is_main_thread():
            found: dict[int, weakref.ref[torch.Tensor]] = {}
            for root in roots:
                root.forget_layout()
                module = root.module()
                for parameter in module.parameters() if module is not None else ():
                    owned = self._owned.get(id(parameter))
                    if (owned is None or owned() is not parameter) and not is_uninitialized(parameter):
                        found[id(parameter)] = weakref.ref(parameter)
            self._others.signature, self._others.parameters = signature, list(found.values())
        alive = (reference() for reference in self._others.parameters)
        return [parameter for parameter in alive if parameter is not None]

    def _digest(self, tensors: Iterable[torch.Tensor | None]) -> bytes:
        later = self._later(tensors)
        return later if isinstance(later, bytes) else later.digest()

    def _later(self, tensors: Iterable[torch.Tensor | None]) -> bytes | Later:
        combined = Combined()
        for tensor in tensors:
            if tensor is None:
                combined.bytes(b"none")
            else:
                combined.tensor(tensor)
        self.skipped += combined.skipped
        return combined.later()

    def _state(self, optimizer: torch.optim.Optimizer, plan: Plan) -> bytes | Later:
        combined = Combined()
        for parameter in plan.parameters:
            state = optimizer.state.get(parameter)
            if state:
                _feed(combined, state, 0)
        return combined.later()

    def _buffers(self, roots: list[Root]) -> bytes | Later:
        buffers = [buffer for root in roots for buffer in root.live_buffers()]
        return self._later(buffers) if buffers else EMPTY_DIGEST

    def _write(self, kinds: Digests, optimizer: int, flags: int) -> None:
        if is_main_thread():
            for generator in GENERATORS:
                kinds[f"rng {generator}"] = state_digest(generator) or EMPTY_DIGEST
        else:
            flags |= FLAG_THREAD
        if any(isinstance(digest, Later) for digest in kinds.values()):
            flags |= FLAG_DEVICE
            device_digest.send()
        while device_digest.problems:
            self._recorder.line("note", text=device_digest.problems.pop())
        with self._lock:
            self._waiting.append((self.count, optimizer, flags, kinds))
            self._write_waiting(wait=False)
            if not flags & FLAG_TAIL:
                self.count += 1
                self._roots.step = self.count

    def _write_waiting(self, wait: bool) -> None:
        """Write the records of steps whose digests are there, in order; or wait for all."""
        while self._waiting:
            number, optimizer, flags, kinds = self._waiting[0]
            must = wait or self.waits or self.states is not None or len(self._waiting) > MOST_WAITING
            if not must and any(isinstance(digest, Later) and not digest.is_here for digest in kinds.values()):
                return
            self._waiting.popleft()
            digests = [self._ready(kinds.get(kind, EMPTY_DIGEST)) for kind in STEP_KINDS]
            deciding = b"".join(
                digest for kind, digest in zip(STEP_KINDS, digests, strict=True) if kind in DECIDING_KINDS
            )
            self._chain = bytes_digest(self._chain + optimizer.to_bytes(4, "little") + deciding)
            header = STEP_HEADER.pack(number & 0xFFFFFFFF, optimizer, flags, 0)
            self._recorder.step(header + b"".join(digests) + self._chain)

    def _ready(self, digest: bytes | Later) -> bytes:
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
    combined = Combined()
    _feed(combined, state, 0)
    return combined.digest()


def key_text(pair: tuple[Any, Any]) -> str:
    """By what a dict's items are put in order: that of insertion may hang on a set, and means nothing."""
    return str(pair[0]) if isinstance(pair[0], (str, int)) else ""


def _hyperparameters(optimizer: torch.optim.Optimizer) -> bytes:
    combined = Combined()
    for group in optimizer.param_groups:
        for name, value in group.items():
            if name not in ("params", "param_names"):
                combined.bytes(name.encode())
                _feed(combined, value, 0)
    return combined.digest()


def _feed(combined: Combined, value: Any, depth: int) -> None:
    """Tensors and plain values of a nested state; anything else says only its type (its repr may hold an address)."""
    if isinstance(value, torch.Tensor):
        combined.tensor(value)
    elif value is None or isinstance(value, (bool, int, float, str)):
        combined.bytes(repr(value).encode())
    elif isinstance(value, dict) and depth < 8:
        for key, item in sorted(
            value.items(), key=lambda pair: str(pair[0]) if isinstance(pair[0], (str, int)) else ""
        ):
            combined.bytes(str(key).encode() if isinstance(key, (str, int)) else b"?")
            _feed(combined, item, depth + 1)
    elif isinstance(value, (list, tuple)) and depth < 8:
        combined.bytes(b"list%d" % len(value))
        for item in value:
            _feed(combined, item, depth + 1)
    else:
        combined.bytes(type(value).__name__.encode())


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
