"""Take a returned value apart: every tensor, array, number and text in it, by path."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import decimal
import enum
import fractions
import os
import struct
import sys
import uuid
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xxhash import xxh3_128_hexdigest

MANY_NUMBERS = 8
"""A list of more numbers than this is one leaf, not a leaf a number."""
LONGEST_TEXT = 200
MAX_LEAVES = 100_000
MAX_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf of an output; `data` are bytes worth keeping for a comparison of values."""

    name: str
    kind: str
    dtype: str = ""
    shape: tuple[int, ...] = ()
    digest: str = ""
    text: str = ""
    reason: str = ""
    data: memoryview | None = None


def line_of(leaf: Leaf, keep: Callable[[memoryview], int | None]) -> dict[str, Any]:
    """The leaf as evidence. `keep` takes bytes worth keeping, and says where they start."""
    line: dict[str, Any] = {
        "name": leaf.name,
        "kind": leaf.kind,
        "dtype": leaf.dtype,
        "shape": list(leaf.shape),
        "digest": leaf.digest,
        "text": leaf.text,
        "reason": leaf.reason,
    }
    if leaf.data is not None:
        line["offset"], line["size"] = keep(leaf.data), leaf.data.nbytes
    return line


class _TooLarge(Exception):
    """The value has more leaves than can be listed."""


def leaves_of(value: Any, hide: str = "") -> Iterator[Leaf]:
    """Every leaf of `value`, in the order of its paths. `hide` is a folder that texts may name: it is masked."""
    walk = _Walk(hide)
    try:
        yield from walk.visit("", value, 0)
    except _TooLarge:
        yield Leaf("", "opaque", reason=f"more than {MAX_LEAVES} leaves")


class _Walk:
    def __init__(self, hide: str) -> None:
        self._hide = hide
        self._inside: set[int] = set()
        self._count = 0

    def visit(self, path: str, value: Any, depth: int) -> Iterator[Leaf]:
        self._count += 1
        if self._count > MAX_LEAVES:
            raise _TooLarge
        simple = self._simple(path, value)
        if simple is not None:
            yield simple
            return
        if id(value) in self._inside or depth > MAX_DEPTH:
            yield Leaf(path, "opaque", reason="it contains itself or is nested too deeply")
            return
        self._inside.add(id(value))
        try:
            yield from self._container(path, value, depth)
        finally:
            self._inside.discard(id(value))

    def _simple(self, path: str, value: Any) -> Leaf | None:
        if value is None or isinstance(value, bool):
            return _text_leaf(path, "constant", repr(value))
        if isinstance(value, enum.Enum):
            return _text_leaf(path, "constant", f"{type(value).__name__}.{value.name}")
        if isinstance(value, int):
            return _text_leaf(path, "number", str(int(value)) if abs(value) < 1 << 256 else hex(value), "int")
        if isinstance(value, float):
            return _float_leaf(path, value)
        if isinstance(value, complex):
            data = struct.pack("<dd", value.real, value.imag)
            return Leaf(path, "number", "complex128", (), xxh3_128_hexdigest(data), repr(value), "", memoryview(data))
        if isinstance(value, (bytes, bytearray)):
            return Leaf(path, "bytes", "bytes", (len(value),), xxh3_128_hexdigest(bytes(value)))
        if isinstance(value, (str, os.PathLike)):
            text = os.fsdecode(value) if isinstance(value, os.PathLike) else str(value)
            return _text_leaf(path, "text", text.replace(self._hide, "<tmp>") if self._hide else text)
        if isinstance(value, _PRINTABLE):
            return _text_leaf(path, "text", repr(value))
        return _tensor_leaf(path, value) or _array_leaf(path, value)

    def _container(self, path: str, value: Any, depth: int) -> Iterator[Leaf]:
        state = _state_of(value)
        if state is not None:
            for leaf in self._items(path, state.items(), depth):
                yield dataclasses.replace(leaf, text="")  # a step counter or a learning rate is no metric
        elif isinstance(value, Mapping):
            yield from self._items(path, sorted(_named(value.items())), depth)
        elif isinstance(value, tuple) and hasattr(value, "_fields"):
            yield from self._items(path, zip(value._fields, value, strict=False), depth)
        elif isinstance(value, (list, tuple)):
            packed = _pack_numbers(path, value)
            if packed is not None:
                yield packed
                return
            for index, item in enumerate(value):
                yield from self.visit(f"{path}[{index}]", item, depth + 1)
            yield _text_leaf(f"{path}.length" if path else "length", "constant", str(len(value)))
        elif isinstance(value, (set, frozenset)):
            yield self._unordered(path, value, depth)
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = [(field.name, getattr(value, field.name, None)) for field in dataclasses.fields(value)]
            yield from self._items(path, fields, depth)
        else:
            yield Leaf(path, "opaque", type(value).__qualname__, reason=f"a {_type_name(value)} is opaque")

    def _items(self, path: str, items: Any, depth: int) -> Iterator[Leaf]:
        empty = True
        for name, item in items:
            empty = False
            yield from self.visit(f"{path}.{name}" if path else str(name), item, depth + 1)
        if empty:
            yield _text_leaf(path, "constant", "{}")

    def _unordered(self, path: str, value: Any, depth: int) -> Leaf:
        parts = []
        for item in value:
            leaves = list(self.visit("", item, depth + 1))
            if any(not leaf.digest for leaf in leaves):
                return Leaf(path, "opaque", reason="a set of opaque values")
            parts.append("|".join(f"{leaf.name}:{leaf.dtype}:{leaf.digest}" for leaf in leaves))
        data = "\n".join(sorted(parts)).encode("utf-8", "surrogatepass")
        return Leaf(path, "set", "set", (len(parts),), xxh3_128_hexdigest(data))


_PRINTABLE = (
    decimal.Decimal,
    fractions.Fraction,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    uuid.UUID,
    range,
    slice,
)


def _named(items: Any) -> list[tuple[str, Any]]:
    class Pair(tuple[str, Any]):
        """Sorts by its name alone: values need not be comparable."""

        def __lt__(self, other: Any) -> bool:
            return bool(self[0] < other[0])

    return [Pair((_key_name(key), item)) for key, item in items]


def _key_name(key: Any) -> str:
    """A name for a key that is the same in every run: no address, no order of a set."""
    if isinstance(key, str):
        return key
    if isinstance(key, (set, frozenset)):
        return "{" + ", ".join(sorted(_key_name(item) for item in key)) + "}"
    if isinstance(key, tuple):
        return "(" + ", ".join(_key_name(item) for item in key) + ")"
    if callable(key) and hasattr(key, "__qualname__"):
        return f"{key.__module__}.{key.__qualname__}"
    return _type_name(key) if " at 0x" in repr(key) else repr(key)


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _text_leaf(path: str, kind: str, text: str, dtype: str = "") -> Leaf:
    data = text.encode("utf-8", "surrogatepass")
    shown = text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"
    return Leaf(path, kind, dtype or kind, (), xxh3_128_hexdigest(f"{dtype or kind}:".encode() + data), shown)


def _float_leaf(path: str, value: float) -> Leaf:
    data = struct.pack("<d", value)
    return Leaf(path, "number", "float64", (), xxh3_128_hexdigest(data), repr(float(value)), "", memoryview(data))


def _pack_numbers(path: str, values: Any) -> Leaf | None:
    """A long list of plain numbers as one leaf of float64."""
    if len(values) <= MANY_NUMBERS or type(values[0]) not in (int, float):
        return None
    if not all(type(value) is float or (type(value) is int and abs(value) < 2**53) for value in values):
        return None
    data = array("d", values).tobytes()
    kinds = bytes(type(value) is float for value in values)
    return Leaf(path, "numbers", "float64", (len(values),), xxh3_128_hexdigest(data + kinds), "", "", memoryview(data))


def _state_of(value: Any) -> Mapping[str, Any] | None:
    """The state_dict of a module, optimizer or the like."""
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return None
    if isinstance(value, torch.nn.Module):
        named: dict[str, Any] = dict(value.named_parameters(remove_duplicate=False))
        named.update(value.named_buffers(remove_duplicate=False))
        return {name.removeprefix("_orig_mod."): tensor for name, tensor in named.items()}
    if isinstance(value, torch.optim.Optimizer):
        state: Mapping[str, Any] = value.state_dict()
        return state
    return None


def _guarded(read: Callable[[], Leaf], path: str, kind: str) -> Leaf:
    from reprocheck.worker.digest import Undigestible

    try:
        return read()
    except Undigestible as error:
        return Leaf(path, kind, reason=error.reason)
    except Exception as error:  # by type only: a message may hold an address
        return Leaf(path, kind, reason=f"it cannot be read: {type(error).__name__}")


def _tensor_leaf(path: str, value: Any) -> Leaf | None:
    torch: Any = sys.modules.get("torch")
    if torch is None or not isinstance(value, torch.Tensor):
        if torch is not None and isinstance(value, (torch.dtype, torch.device, torch.layout)):
            return _text_leaf(path, "constant", str(value))
        return None
    return _guarded(lambda: _read_tensor(path, value), path, "tensor")


def _read_tensor(path: str, value: Any) -> Leaf:
    from reprocheck.worker.digest import Undigestible, Unobserved, dtype_name, raw_bytes, tensor_digest

    with Unobserved():
        digest = tensor_digest(value).hex()
        dtype, shape, text, data = dtype_name(value), _shape_of(value), "", None
        with contextlib.suppress(Undigestible, RuntimeError):
            data = raw_bytes(value)
        if value.ndim == 0 and not value.is_complex() and data is not None:
            text = repr(value.item())
    return Leaf(path, "tensor", dtype, shape, digest, text, "", data)


def _shape_of(tensor: Any) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in tensor.shape)
    except (RuntimeError, TypeError, ValueError):  # a nested tensor has none, or one that is not of numbers
        return ()


def _array_leaf(path: str, value: Any) -> Leaf | None:
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, (numpy.ndarray, numpy.generic)):
        if numpy is not None and isinstance(value, numpy.dtype):
            return _text_leaf(path, "constant", str(value))
        return None
    return _guarded(lambda: _read_array(path, numpy.asarray(value)), path, "array")


def _read_array(path: str, value: Any) -> Leaf:
    from reprocheck.worker.digest import array_digest

    digest = array_digest(value).hex()
    number = value.ndim == 0 and value.dtype.kind in "fiub"
    data = memoryview(value.tobytes()) if value.dtype.kind in "fiubc" else None
    text = repr(value.item()) if number else ""
    return Leaf(path, "array", value.dtype.str, tuple(value.shape), digest, text, "", data)
