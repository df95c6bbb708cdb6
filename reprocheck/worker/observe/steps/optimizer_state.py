"""What an optimizer holds: hyperparameters, the state of each parameter, attributes of its own."""

from __future__ import annotations

import types
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any

import torch

from reprocheck.worker.fingerprint.digest import DeferredDigest, DigestBuilder
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
        builder = DigestBuilder()
        try:
            held = 0
            for parameter in parameters:
                state = optimizer.state.get(parameter)
                held += state is not None
                if state:
                    _feed(builder, state, 0)
            if len(optimizer.state) > held:
                self._feed_others(builder, optimizer, parameters)
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

    def _feed_others(
        self, builder: DigestBuilder, optimizer: torch.optim.Optimizer, parameters: list[torch.Tensor]
    ) -> None:
        known = {id(parameter) for parameter in parameters}
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
    builder = DigestBuilder()
    _feed(builder, state, 0)
    return builder.digest()


def key_text(pair: tuple[Any, Any]) -> str:
    """By what a dict's items are put in order: that of insertion may depend on a set, and means nothing."""
    return str(pair[0]) if isinstance(pair[0], (str, int)) else ""


def hyperparameters(optimizer: torch.optim.Optimizer) -> bytes:
    """The digest of those of all groups."""
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
