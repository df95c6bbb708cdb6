"""What is to be recorded of each operation: worked out from its schema, once."""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch

Argument = tuple[int, str]
"""Position and name."""

WORKSPACES = {
    "aten::mkldnn_rnn_layer": 3,  # of a CPU LSTM: memory for its backward, never wholly written
    "aten::_cudnn_rnn": 3,  # the reserve of cuDNN, likewise
    "aten::miopen_rnn": 3,
    "aten::_scaled_dot_product_flash_attention": 6,  # a state and a mask that stand unused without dropout
    "aten::_scaled_dot_product_efficient_attention": 2,  # the same
    "aten::_scaled_dot_product_cudnn_attention": 6,
    "aten::cudnn_batch_norm": 3,  # the reserve of cuDNN
}
"""Outputs from this one on are memory that the operation need not fill."""

_UNDECLARED_WRITES = {
    "aten::native_batch_norm": (3, 4),
    "aten::cudnn_batch_norm": (3, 4),
    "aten::miopen_batch_norm": (3, 4),
}
"""Running statistics that are written, though the schema does not say so."""

_DRAWS = ("bernoulli", "cauchy", "exponential", "geometric", "log_normal", "normal", "random", "uniform")
_OVERWRITES = frozenset(
    f"{prefix}{name}_"
    for name in (*_DRAWS, "copy", "fill", "resize", "set", "zero")
    for prefix in ("aten::", "aten::_foreach_")
)
"""These do not read the argument that they write."""

_RATES = frozenset({"p", "dropout_p", "dropout"})
_SWITCHES = frozenset({"train", "training"})
_NAMESPACES_PASSED_BY = frozenset({"profiler", "debug", "_c10d_functional_autograd"})
_COLLECTIVES = ("c10d::", "_c10d_functional::")
_REPORTED_TAGS = ("nondeterministic_seeded", "nondeterministic_bitwise")
_TENSOR_TYPES = frozenset({"Tensor", "Optional[Tensor]", "List[Tensor]", "List[Optional[Tensor]]"})
_NO_ARGUMENT = object()


class Plan(NamedTuple):
    """How one operation is recorded."""

    name: str
    arguments: tuple[str, ...]
    tags: tuple[str, ...]
    read: tuple[Argument, ...]
    """Tensors (or lists of them) that it reads."""
    scalars: tuple[Argument, ...]
    written: tuple[Argument, ...]
    makes: bool
    """It returns new tensors."""
    filled: int | None
    """How many of them it fills; None: all."""
    is_blank: bool
    """It returns memory as it was found."""
    is_random: bool
    generator: Argument | None
    rates: tuple[Argument, ...]
    """Arguments that switch its randomness off."""
    switches: tuple[Argument, ...]
    has_schema: bool = True
    takes: bool = True
    """Something is to be recorded of what goes in."""
    gives: bool = True
    """Something is to be recorded of what comes out."""
    is_collective: bool = False
    """Processes exchange tensors in it."""


_plans: dict[Any, Plan | None] = {}


def plan_of(operation: Any) -> Plan | None:
    """The plan of an operation; None for one that is passed by."""
    try:
        return _plans[operation]
    except KeyError:
        plan = _plans[operation] = _make_plan(operation)
        return plan


def _make_plan(operation: Any) -> Plan | None:
    schema = getattr(operation, "_schema", None)
    if schema is None:  # an operation of higher order: all tensors in it count
        name = f"higher_order::{getattr(operation, '__name__', type(operation).__name__)}"
        return Plan(name, (), (), (), (), (), True, None, False, False, None, (), (), has_schema=False)
    if schema.name.split("::", 1)[0] in _NAMESPACES_PASSED_BY:
        return None
    read, written, scalars = [], [], []
    generator = None
    for position, argument in enumerate(schema.arguments):
        place = (position, argument.name)
        if "Generator" in str(argument.type):
            generator = place
        elif str(argument.type) not in _TENSOR_TYPES:
            scalars.append(place)
        elif argument.alias_info is not None and argument.alias_info.is_write:
            written.append(place)
            if not argument.is_out and schema.name not in _OVERWRITES:
                read.append(place)
        else:
            read.append(place)
            if position in _UNDECLARED_WRITES.get(schema.name, ()):
                written.append(place)
    makes = any(value.alias_info is None and str(value.type) in _TENSOR_TYPES for value in schema.returns)
    is_blank = makes and not written and "empty" in schema.name
    returns_nothing_new = not makes and not written
    enters = schema.name == "aten::lift_fresh"  # a view, by which torch.tensor(...) brings values in
    reads_out = returns_nothing_new and all(value.alias_info is None for value in schema.returns)  # .item(), equal
    if is_blank or (returns_nothing_new and not enters and not reads_out):
        read = []
    tags = {tag.name for tag in operation.tags}
    return Plan(
        name=schema.name,
        arguments=tuple(argument.name for argument in schema.arguments),
        tags=tuple(tag for tag in _REPORTED_TAGS if tag in tags),
        read=tuple(read),
        scalars=tuple(scalars),
        written=tuple(written),
        makes=makes,
        filled=WORKSPACES.get(schema.name),
        is_blank=is_blank,
        is_random="nondeterministic_seeded" in tags or generator is not None,
        generator=generator,
        rates=tuple(place for place in scalars if place[1] in _RATES),
        switches=tuple(place for place in scalars if place[1] in _SWITCHES),
        takes=bool(read or scalars),
        gives=makes or bool(written),
        is_collective=schema.name.startswith(_COLLECTIVES),
    )


def value_of(place: Argument, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """The value of an argument in a call; None when it was left out."""
    position, name = place
    return args[position] if position < len(args) else kwargs.get(name)


def draws(plan: Plan, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether this call of a random operation draws at all."""
    for place in plan.rates:
        rate = value_of(place, args, kwargs)
        if rate == 0 or (rate is None and place[1] == "dropout_p"):  # its default is 0
            return False
    return all(value_of(place, args, kwargs) is not False for place in plan.switches)


def generator_of(plan: Plan, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, str]:
    """The generator that a call draws from, and its name."""
    if plan.generator is not None:
        passed = value_of(plan.generator, args, kwargs)
        if passed is not None:
            return passed, "passed"
    device = kwargs.get("device")
    if device is None:
        tensor = next(_tensors_of(plan, args, kwargs), None)
        device = torch.device("cpu") if tensor is None else tensor.device
    device = torch.device(device)
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        return torch.cuda.default_generators[index], "default"
    return torch.default_generator, "default"


def _tensors_of(plan: Plan, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[torch.Tensor]:
    for place in (*plan.written, *plan.read):
        value = value_of(place, args, kwargs)
        for item in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(item, torch.Tensor):
                yield item


def scalars_of(plan: Plan, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[tuple[Argument, ...], list[Any]]:
    """The arguments of a call that are no tensors, those left out as a mark: where, and their values."""
    count = len(args)
    places = plan.scalars
    values = [args[position] if position < count else kwargs.get(name, _NO_ARGUMENT) for position, name in places]
    for place in plan.read:
        value = value_of(place, args, kwargs)
        if value is not None and not isinstance(value, (torch.Tensor, list, tuple)):  # a number in a tensor's place
            places = (*places, place)
            values.append(value)
    return places, values


def scalar_bytes(values: list[Any]) -> bytes:
    """Equal for equal values, in every process."""
    try:
        return marshal.dumps(values, 2)  # from version 3 on it marks objects that are used twice
    except ValueError:
        return "\0".join(map(_text, values)).encode("utf-8", "backslashreplace")


def scalar_text(places: tuple[Argument, ...], values: list[Any]) -> str:
    """The same for a person: one `position (name) = value` a line."""
    lines = []
    for (position, name), value in zip(places, values, strict=True):
        if value is not _NO_ARGUMENT:
            lines.append(f"{position} ({name}) = {_text(value)[:200]}")
    return "\n".join(lines)


def _text(value: object) -> str:
    """The repr of plain values only: another one may hold an address."""
    if value is None or isinstance(value, (bool, int, float, complex, str, torch.dtype, torch.device)):
        return repr(value)
    if isinstance(value, (torch.layout, torch.memory_format)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_text, value))}]"
    return type(value).__name__
