"""What a training leaves behind: the models and trained tensors that are there at its end, and those that went before.

A model is often gone by then: it lived in `main()`, in a fold of a cross-validation, in a thread. Nothing is kept alive
for us. Its tensors are fingerprinted at the moment it goes. What is found is a set of fingerprints: in which order
models go, and whether they go at all before the process does, means nothing.
"""

from __future__ import annotations

import gc
import threading
import types
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.compiler import is_compiling  # as it was: a target may replace it

from reprocheck.worker.fingerprint.digest import tensor_digest
from reprocheck.worker.fingerprint.leaf_objects import attributes_of, is_library, is_of_library
from reprocheck.worker.fingerprint.plain import UnsupportedTensor
from reprocheck.worker.fingerprint.tensor_refs import TensorRef
from reprocheck.worker.fingerprint.unobserved import Unobserved
from reprocheck.worker.observe.top_models import is_main_thread, is_uninitialized
from reprocheck.worker.observe.variables import globals_of_target

MOST_FINGERPRINTS = 500_000
NESTED = 2
"""So deep containers and objects in globals are looked into for trained tensors."""
MOST_ITEMS = 10_000

Kept = dict[str, set[bytes]]


class Endings:
    """The last state of every model. `is_trained` says whether a tensor was trained in a way that has an order."""

    def __init__(
        self,
        is_open: Callable[[], bool],
        is_trained: Callable[[torch.Tensor], bool],
        is_of_trained: Callable[[Any], bool] = lambda _: False,
    ) -> None:
        """`is_of_trained`: whether a module's dict of buffers is that of a part of a trained model."""
        self._is_open = is_open
        self._is_trained = is_trained
        self._is_of_trained = is_of_trained
        self._trained: Kept = {"parameters": set(), "buffers": set()}
        self._recent: Kept = {"parameters": set(), "buffers": set()}
        """Of models that were never trained, and went after the last step."""
        self._left: dict[int, tuple[TensorRef, bytes]] = {}
        """Parameters of optimizers that went, by their numbers, as they were then: they may be trained on or edited."""
        self._collecting: int | None = None
        """The thread that collects garbage."""
        self.unreachable: set[int] = set()
        """Trained tensors in the garbage that is being collected: weak references to them are gone already."""
        self._is_over = False
        self.in_globals: set[tuple[int, ...]] = set()
        """Shapes of what was looked at there at the end."""
        self.is_full = False

    def install(self) -> None:
        """Hear of every module and optimizer that goes."""
        gone = self._gone

        def of_module(module: torch.nn.Module) -> None:
            own = getattr(module, "__dict__", {})
            if own and (own.get("_parameters") or own.get("_buffers")):
                gone(module, self._module_gone)

        def of_optimizer(optimizer: torch.optim.Optimizer) -> None:
            gone(optimizer, self._optimizer_gone)

        classes: tuple[tuple[Any, Any], ...] = ((torch.nn.Module, of_module), (torch.optim.Optimizer, of_optimizer))
        for kind, finalizer in classes:
            known = vars(kind).get("__del__")
            # Ours is that of the process that this one was forked from.
            if known is None or getattr(known, "__module__", "") == __name__:
                finalizer.__name__ = finalizer.__qualname__ = "__del__"
                kind.__del__ = finalizer
        gc.callbacks.append(self._collects)

    def step_taken(self) -> None:
        """What went before this step was no result, unless it was trained."""
        if self._recent["parameters"] or self._recent["buffers"]:
            self._recent = {"parameters": set(), "buffers": set()}

    def finish(
        self,
        parameters: list[torch.Tensor],
        buffers: list[torch.Tensor],
        shapes: set[tuple[int, ...]],
        passed: set[int],
    ) -> Kept:
        """At the end. `parameters`, `buffers`: those known already. `passed`: modules of threads that still run.

        `shapes`: of what was trained; tensors of such a shape in globals are taken for copies of it.
        """
        self._is_over = True
        with_alive: Kept = {kind: self._trained[kind] | self._recent[kind] for kind in self._trained}
        tensors: dict[str, dict[int, torch.Tensor]] = {"parameters": {}, "buffers": {}}
        for module in _modules():
            own = attributes_of(module)
            if id(module) in passed or "_is_replica" in own:
                continue
            for kind in tensors:
                held: Any = own.get(f"_{kind}")
                if type(held) in (dict, OrderedDict):
                    tensors[kind].update((id(t), t) for t in held.values() if isinstance(t, torch.Tensor))
        tensors["parameters"].update((id(t), t) for t in parameters)
        tensors["buffers"].update((id(t), t) for t in buffers)
        tensors["parameters"].update(self._what_is_left(with_alive["parameters"], passed))
        in_globals = list(_in_globals(shapes))
        self.in_globals = {tuple(t.shape) for t in in_globals}
        tensors["parameters"].update((id(t), t) for t in in_globals)
        for kind, found in tensors.items():
            with_alive[kind].update(_digests(found.values()))
        return with_alive

    def _gone(self, what: Any, look: Callable[[Any], None]) -> None:
        try:
            if not self._is_over and self._is_open() and not is_compiling():
                with Unobserved():
                    look(what)
        except Exception:  # it goes, whatever we think of it
            return

    def _module_gone(self, module: Any) -> None:
        own = vars(module)
        parameters = [t for t in (own.get("_parameters") or {}).values() if t is not None]
        buffers = [t for t in (own.get("_buffers") or {}).values() if t is not None]
        if (not parameters and not buffers) or own.get("_is_replica"):
            return
        if any(self._is_trained(one) for one in parameters) or (
            not parameters and self._is_of_trained(own["_buffers"])
        ):
            kept = self._trained
        elif is_main_thread() and not self.is_collecting:
            kept = self._recent
        else:
            return
        if len(kept["parameters"]) + len(kept["buffers"]) > MOST_FINGERPRINTS:
            self.is_full = True
            return
        kept["parameters"].update(_digests(parameters))
        kept["buffers"].update(_digests(buffers))
        for parameter in parameters:  # what it was when its optimizer went is no end
            known = self._left.get(id(parameter))
            if known is not None and (known[0]() is parameter or id(parameter) in self.unreachable):
                del self._left[id(parameter)]

    def _optimizer_gone(self, optimizer: Any) -> None:
        trained = [p for group in optimizer.param_groups for p in group["params"] if self._is_trained(p)]
        if len(self._trained["parameters"]) + len(self._left) > MOST_FINGERPRINTS:
            self.is_full = True
            return
        for parameter in trained:
            known = self._left.get(id(parameter))
            if known is not None and known[0]() is not parameter:
                self._trained["parameters"].add(known[1])
            for digest in _digests([parameter]):
                self._left[id(parameter)] = TensorRef(parameter), digest

    def _what_is_left(self, gone: set[bytes], passed: set[int]) -> dict[int, torch.Tensor]:
        """Parameters of optimizers that went, by number, if they are still there and nothing works on them; what is
        known of the others is added to `gone`."""
        alive: dict[int, torch.Tensor] = {}
        for number, (reference, digest) in list(self._left.items()):
            tensor = reference()
            if tensor is None:
                gone.add(digest)
            else:
                alive[number] = tensor
        if passed and alive:
            for module in _modules():
                if id(module) in passed:
                    for tensor in (attributes_of(module).get("_parameters") or {}).values():
                        alive.pop(id(tensor), None)
        return alive

    @property
    def is_collecting(self) -> bool:
        """Whether garbage is collected: when that happens is chance."""
        return self._collecting is not None

    def _collects(self, phase: str, info: dict[str, int]) -> None:
        self._collecting = threading.get_ident() if phase == "start" else None
        self.unreachable.clear()


def _digests(tensors: Any) -> Iterator[bytes]:
    for tensor in tensors:
        try:
            if not is_uninitialized(tensor):
                yield tensor_digest(tensor)
        except UnsupportedTensor:
            continue


def _modules() -> list[Any]:
    module_class = torch.nn.Module
    return [found for found in gc.get_objects() if issubclass(type(found), module_class)]


def _in_globals(shapes: set[tuple[int, ...]]) -> Iterator[torch.Tensor]:
    """Tensors that were trained, or look like a copy of one that was, in the globals of the target's own modules."""
    for _, found in globals_of_target():
        yield from _trained_in(found, shapes)


def _trained_in(found: dict[str, Any], shapes: set[tuple[int, ...]]) -> Iterator[torch.Tensor]:
    todo: deque[tuple[int, Any]] = deque((0, item) for name, item in found.items() if not name.startswith("__"))
    met: set[int] = set()
    while todo:
        depth, value = todo.popleft()
        kind = type(value)
        if issubclass(kind, torch.Tensor):
            if _is_of_interest(value, shapes):
                yield value
            continue
        if depth > NESTED or id(value) in met:
            continue
        met.add(id(value))
        hidden = _behind(value)
        if hidden is not None:
            todo.extend((depth + 1, item) for item in hidden)
            continue
        base = next((base for base in (list, tuple, set, deque) if issubclass(kind, base)), None)
        if issubclass(kind, dict):
            inner = list(dict.values(value))
        elif base is not None:
            inner = list(base.__iter__(value))
        elif issubclass(kind, (torch.nn.Module, torch.optim.Optimizer)):
            continue
        elif issubclass(kind, type):
            inner = [] if is_library(value) else list(vars(value).values())
        elif is_library(kind):
            continue
        else:
            inner = list(attributes_of(value).values())
        if len(inner) <= MOST_ITEMS:
            todo.extend((depth + 1, item) for item in inner)


def _behind(value: Any) -> list[Any] | None:
    """What a function of the target, or a generator that has not ended, holds; None where it is neither."""
    if isinstance(value, types.FunctionType):
        if is_of_library(value.__module__ or ""):
            return []
        cells = [cell.cell_contents for cell in value.__closure__ or () if cell != types.CellType()]
        return [*cells, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
    if isinstance(value, types.MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, types.GeneratorType):
        return [] if value.gi_frame is None else list(value.gi_frame.f_locals.values())
    if isinstance(value, types.CoroutineType):
        return [] if value.cr_frame is None else list(value.cr_frame.f_locals.values())
    return None


def _is_of_interest(tensor: torch.Tensor, shapes: set[tuple[int, ...]]) -> bool:
    try:
        if tensor.requires_grad and tensor.is_leaf:
            return True
        return tensor.is_floating_point() and tuple(tensor.shape) in shapes
    except (AttributeError, RuntimeError):  # a nested tensor has no shape
        return False
