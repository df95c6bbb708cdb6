"""What an optimizer holds: hyperparameters, the state of each parameter, attributes of its own."""

from __future__ import annotations

import operator
import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch

from reprocheck.worker.fingerprint.digest import DeferredDigest, DigestBuilder, Item
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
from reprocheck.worker.observe.steps.parameters import Named, Owned
from reprocheck.worker.observe.top_models import TopModels

MOST_ORDERS = 1000
"""Sets of keys of which the order is known."""


class OptimizerStates:
    """Reads the states of optimizers."""

    def __init__(
        self,
        top_models: TopModels,
        owned: Owned,
        is_known_optimizer: Callable[[Any], bool],
        report: Callable[..., None],
    ) -> None:
        """`report`: says what could not be read, and why."""
        self._top_models = top_models
        self._owned = owned
        self._is_known_optimizer = is_known_optimizer
        self._report = report
        self.skipped = 0
        """Tensors that had no readable data."""

    def digest(self, optimizer: torch.optim.Optimizer, parameters: list[torch.Tensor]) -> bytes | DeferredDigest:
        """With what else an optimizer holds: entries of its state for no parameter, attributes of its own."""
        builder, items = DigestBuilder(), list[Item]()
        try:
            held = 0
            for parameter in parameters:
                state = optimizer.state.get(parameter)
                held += state is not None
                if state:
                    _list(items, state, 0)
            if len(optimizer.state) > held:
                self._list_others(items, optimizer, parameters)
            if any(name not in OF_OPTIMIZER and not name.startswith("_optimizer_") for name in vars(optimizer)):
                leaves = list(member_leaves(optimizer_members(optimizer), self._is_known))
                _list_leaves(items, leaves)
                self._report_unread(optimizer, leaves)
        except Exception as error:
            self._report(
                f"the state of {type(optimizer).__name__}", f"its own code raises {type(error).__name__}", True
            )
        builder.all(items)
        self.skipped += builder.skipped
        return builder.deferred()

    def _list_others(self, items: list[Item], optimizer: torch.optim.Optimizer, parameters: list[torch.Tensor]) -> None:
        known = {id(parameter) for parameter in parameters}
        others = []
        for key, value in optimizer.state.items():
            if id(key) not in known:
                is_tensor = isinstance(key, torch.Tensor)
                name = (self._top_models.name_of(key) or f"tensor {tuple(key.shape)}") if is_tensor else key_name(key)
                others.append((name, value))
        for name, value in sorted(others, key=lambda pair: pair[0]):
            items.append(f"other {name}".encode("utf-8", "surrogatepass"))
            _list(items, value, 0)

    def _is_known(self, value: Any) -> bool:
        """Whether an attribute is seen elsewhere, or no data: a trained parameter, another optimizer, a function."""
        kind = type(value)
        if issubclass(kind, torch.Tensor):
            return self._owned.has(value)
        if issubclass(kind, torch.optim.Optimizer):
            return self._is_known_optimizer(value)
        return issubclass(kind, (types.FunctionType, types.MethodType, types.BuiltinFunctionType))

    def _report_unread(self, optimizer: torch.optim.Optimizer, leaves: list[Leaf]) -> None:
        for leaf in leaves:
            if leaf.kind == OPAQUE:
                self._report(f"{type(optimizer).__name__}.{leaf.name}", leaf.reason)


def state_digest(state: Any) -> bytes:
    """Of the state of one parameter."""
    items: list[Item] = []
    _list(items, state, 0)
    builder = DigestBuilder()
    builder.all(items)
    return builder.digest()


def key_text(pair: tuple[Any, Any]) -> str:
    """By what a dict's items are put in order: that of insertion may depend on a set, and means nothing."""
    return str(pair[0]) if isinstance(pair[0], (str, int)) else ""


class Hyperparameters:
    """Those of all groups of one optimizer: as long as they are the same objects, which do not change, their digest."""

    def __init__(self) -> None:
        self._known: list[Any] = []
        self._digest = b""

    def digest(self, optimizer: torch.optim.Optimizer) -> bytes:
        """Of all as they are now."""
        found = [one for group in optimizer.param_groups for pair in group.items() for one in pair]
        if len(found) != len(self._known) or not all(map(operator.is_, found, self._known)):
            self._digest = hyperparameters(optimizer)
            self._known = found if self._digest and all(_stays(*pair) for pair in _pairs(optimizer)) else []
        return self._digest


def _pairs(optimizer: torch.optim.Optimizer) -> Iterator[tuple[Any, Any]]:
    for group in optimizer.param_groups:
        yield from group.items()


def _stays(name: Any, value: Any) -> bool:
    """Whether the digest has to be the same while this is the same object."""
    kinds = map(type, value) if type(value) is tuple else (type(value),)
    return type(name) is str and (name in _NO_HYPERPARAMETERS or all(kind in _PLAIN for kind in kinds))


def hyperparameters(optimizer: torch.optim.Optimizer) -> bytes:
    """The digest of those of all groups."""
    items: list[Item] = []
    for name, value in _pairs(optimizer):
        if name not in _NO_HYPERPARAMETERS:
            items.append(key_name(name).encode("utf-8", "surrogatepass"))
            _list(items, value, 0)
    builder = DigestBuilder()
    builder.all(items)
    return builder.digest()


_NO_HYPERPARAMETERS = ("params", "param_names")


_PLAIN = frozenset({type(None), bool, int, float, str})


def _list(items: list[Item], value: Any, depth: int) -> None:
    """Tensors and plain values of a nested state; anything else by its leaves, as a returned value."""
    kind = type(value)
    if kind in _ORDINARY_TENSORS:
        items.append(value)
    elif kind in _PLAIN:
        items.append(repr(value).encode("utf-8", "surrogatepass"))
    elif kind in (dict, defaultdict, OrderedDict) and depth < 8:
        for encoded, key in _order(tuple(value)):
            items.append(encoded)
            item = value[key]
            if type(item) in _ORDINARY_TENSORS:
                items.append(item)
            else:
                _list(items, item, depth + 1)
    elif kind in (list, tuple, deque) and depth < 8:
        items.append(b"list%d" % len(value))
        for item in value:
            _list(items, item, depth + 1)
    else:
        _list_leaves(items, leaves_of(value))


_ORDINARY_TENSORS = frozenset({torch.Tensor, torch.nn.Parameter})


def _key(key: Any) -> bytes:
    """A key of a state: by its type where it is no text."""
    if type(key) is str:
        return key.encode("utf-8", "surrogatepass")
    return f"{type(key).__name__} {key_name(key)}".encode("utf-8", "surrogatepass")


def _order(keys: tuple[Any, ...]) -> Sequence[tuple[bytes, Any]]:
    """The keys of a state in the order of their texts, each after its text; of the usual ones it is known."""
    known = _orders.get(keys)
    if known is not None and set(map(type, keys)) == {str}:
        return known
    order = sorted(((_key(key), key) for key in keys), key=operator.itemgetter(0))
    if len(_orders) < MOST_ORDERS and len(keys) < 32 and set(map(type, keys)) == {str}:
        _orders[keys] = order
    return order


_orders: dict[tuple[Any, ...], list[tuple[bytes, Any]]] = {}


def _list_leaves(items: list[Item], leaves: Iterable[Leaf]) -> None:
    for leaf in leaves:
        if leaf.kind != REFERENCE:
            items.append(leaf_key(leaf).encode("utf-8", "surrogatepass"))


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
