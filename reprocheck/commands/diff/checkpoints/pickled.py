"""The pickle in a checkpoint, read as data: no class of it is imported, nothing of it is called.

What is not a tensor, an array or a plain container becomes an Opaque, whose state is looked through like a dictionary.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reprocheck.commands.diff.checkpoints.model import Unreadable

MOST_VALUES = 2_000_000
DEEPEST = 100

STORAGES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "UntypedStorage": "uint8",
}


@dataclass(frozen=True, slots=True)
class Storage:
    """The bytes of one or more tensors, by the name of their member in the archive."""

    key: str
    dtype: str


@dataclass(frozen=True, slots=True)
class PickledTensor:
    """How a tensor lies in its storage; counts are elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str


class Opaque:
    """An object whose class is not loaded: its name, what it was made from, and its state."""

    kind = ""

    def __new__(cls, *args: Any, **named: Any) -> Opaque:
        made = super().__new__(cls)
        made.__dict__.update(args=args, named=named, state=None, items=[], entries={})
        return made

    def __init__(self, *args: Any, **named: Any) -> None:
        pass

    def __call__(self, *args: Any, **named: Any) -> Opaque:
        return self

    def __setstate__(self, state: Any) -> None:
        self.__dict__["state"] = state

    def append(self, item: Any) -> None:
        self.__dict__["items"].append(item)

    def extend(self, items: Any) -> None:
        self.__dict__["items"].extend(items)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.__dict__["entries"][key] = value


@dataclass(frozen=True, slots=True)
class Dtype:
    """One of PyTorch's."""

    name: str


@dataclass(frozen=True, slots=True)
class _StorageType:
    dtype: str


def load(data: bytes) -> Any:
    """What a pickle holds. Raises Unreadable."""
    try:
        return _Unpickler(io.BytesIO(data)).load()
    except Unreadable:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise Unreadable(f"its pickle is damaged: {type(error).__name__}: {str(error)[:200]}") from error


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """What a pickle holds that is no container, with its path: `model.layer.weight`, `groups[0].lr`.

    A container that contains itself, or that lies too deep, is a leaf. Raises Unreadable for too many.
    """
    seen = 0
    waiting: list[tuple[str, Any, tuple[int, ...]]] = [(name, value, ())]
    while waiting:
        seen += 1
        if seen > MOST_VALUES:  # a container that stands in many places counts in each of them
            raise Unreadable(f"it holds more than {MOST_VALUES:,} values")
        path, item, above = waiting.pop()
        inside = _inside(item)
        if inside is None or id(item) in above or len(above) >= DEEPEST:
            yield path, item
        else:
            within = (*above, id(item))
            waiting += [(_joined(path, part), inner, within) for part, inner in reversed(inside)]


def _inside(value: Any) -> list[tuple[Any, Any]] | None:
    """Key and value of each item; None of what is no container."""
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, (list, tuple)):
        return [([place], item) for place, item in enumerate(value)]
    if isinstance(value, (set, frozenset)):
        return [([place], item) for place, item in enumerate(sorted(value, key=repr))]
    if isinstance(value, Opaque):
        own = value.__dict__
        state = own["state"]
        parts = [("args", own["args"]), ("items", own["items"])]
        found = [(part, item) for part, item in parts if item]
        found += own["entries"].items()
        found += state.items() if isinstance(state, Mapping) else [] if state is None else [("state", state)]
        return found
    return None


def _joined(name: str, part: Any) -> str:
    if isinstance(part, list):
        return f"{name}[{part[0]}]"
    text = part if isinstance(part, str) else f"[{part!r}]"[:200]
    return f"{name}.{text}" if name and isinstance(part, str) else f"{name}{text}"


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> PickledTensor:
    if not isinstance(storage, Storage):
        raise Unreadable("a tensor without a storage")
    return _checked(storage, offset, shape, strides, storage.dtype)


def _tensor_with_dtype(
    storage: Any, offset: Any, shape: Any, strides: Any, grad: Any, hooks: Any, dtype: Any, *_: Any
) -> PickledTensor:
    if not isinstance(storage, Storage) or not isinstance(dtype, Dtype):
        raise Unreadable("a tensor without a storage or a dtype")
    return _checked(storage, offset, shape, strides, dtype.name)


def _checked(storage: Storage, offset: Any, shape: Any, strides: Any, dtype: str) -> PickledTensor:
    numbers = (offset, *shape, *strides)
    if not all(type(number) is int and 0 <= number < 2**62 for number in numbers) or len(shape) != len(strides):
        raise Unreadable("a tensor with an impossible shape")
    return PickledTensor(storage, offset, tuple(shape), tuple(strides), dtype)


def _first(value: Any, *_: Any) -> Any:
    return value


def _size(*parts: Any) -> tuple[Any, ...]:
    return tuple(parts[0]) if parts else ()


def _encoded(text: Any, encoding: Any = "latin1", *_: Any) -> bytes:
    return text.encode("latin1") if isinstance(text, str) else b""


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("builtins", "complex"): complex,
    ("_codecs", "encode"): _encoded,
    ("torch", "Size"): _size,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _tensor_with_dtype,
    ("torch._utils", "_rebuild_parameter"): _first,
    ("torch._utils", "_rebuild_parameter_with_state"): _first,
}


class _Call:
    """A function that a pickle may call. A new one each time: a pickle can set attributes of what it has been given."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)


# NOTE: the one in C makes room for as many memo entries as the pickle says that there are.
class _Unpickler(pickle._Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _KNOWN:
            known = _KNOWN[module, name]
            return known if isinstance(known, type) else _Call(known)
        if module in ("torch", "torch.storage") and name in STORAGES:
            return _StorageType(STORAGES[name])
        if module == "torch" and name.isidentifier() and name[0].islower():
            return Dtype(name)
        return type("Opaque", (Opaque,), {"kind": f"{module}.{name}"})

    def persistent_load(self, pid: Any) -> Storage:
        if not isinstance(pid, tuple) or len(pid) < 3 or pid[0] != "storage" or not isinstance(pid[1], _StorageType):
            raise Unreadable("a reference of an unknown kind")
        return Storage(str(pid[2]), pid[1].dtype)
