"""One leaf of a value: a tensor, an array, a number or a text, and its fingerprint.

Types are asked for with `type`, not `isinstance`, and values are read by the methods of the built-in type: a subclass
may have overridden anything.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import enum
import fractions
import os
import pathlib
import struct
import sys
import uuid
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from xxhash import xxh3_128_hexdigest

MANY_NUMBERS = 8
"""A list of more numbers than this is one leaf, not a leaf a number."""
LONGEST_TEXT = 200

OPAQUE = "opaque"
"""Kind of a leaf that could not be read."""
REFERENCE = "reference"
"""Kind of a leaf that stands for a part of the environment (a logger, a lock, a clock's reading), not for a result."""


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


def simple_leaf(path: str, value: Any, hide: str) -> Leaf | None:
    """The leaf of a value that has no parts; None for all others."""
    kind = type(value)
    if value is None or kind is bool:
        return text_leaf(path, "constant", repr(value))
    if issubclass(kind, enum.Enum):
        return text_leaf(path, "constant", f"{kind.__name__}.{value._name_}")
    if issubclass(kind, int):
        number = int.__add__(value, 0)
        return text_leaf(path, "number", str(number) if abs(number) < 1 << 256 else hex(number), "int")
    if issubclass(kind, float):
        return _float_leaf(path, float.__float__(value))
    if issubclass(kind, complex):
        data = struct.pack("<dd", value.real, value.imag)
        text = complex.__repr__(value)
        return Leaf(path, "number", "complex128", (), xxh3_128_hexdigest(data), text, "", memoryview(data))
    if issubclass(kind, (bytes, bytearray, memoryview, array)):
        code = value.typecode if kind is array else "bytes"
        plain = memoryview(value).tobytes()
        return Leaf(path, "bytes", code, (len(plain),), xxh3_128_hexdigest(plain))
    if issubclass(kind, (str, pathlib.PurePath)):
        text = str.__str__(value) if issubclass(kind, str) else os.fspath(value)
        return text_leaf(path, "text", text.replace(hide, "<tmp>") if hide else text)
    if issubclass(kind, _PRINTABLE):
        text = repr(value)
        return None if " at 0x" in text else text_leaf(path, "text", text)
    return _tensor_leaf(path, value) or _array_leaf(path, value) or _c_leaf(path, value)


_PRINTABLE = (
    decimal.Decimal,
    fractions.Fraction,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    datetime.tzinfo,
    uuid.UUID,
    range,
    slice,
)


def text_leaf(path: str, kind: str, text: str, dtype: str = "") -> Leaf:
    """A leaf of text."""
    data = text.encode("utf-8", "surrogatepass")
    shown = text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"
    return Leaf(path, kind, dtype or kind, (), xxh3_128_hexdigest(f"{dtype or kind}:".encode() + data), shown)


def opaque_leaf(path: str, value: Any, reason: str = "") -> Leaf:
    """A leaf that could not be read, and why."""
    return Leaf(path, OPAQUE, type(value).__qualname__, reason=reason or f"a {type_name(type(value))} is opaque")


def type_name(kind: type) -> str:
    """With its module, unless it is built in."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _float_leaf(path: str, value: float) -> Leaf:
    data = struct.pack("<d", value)
    return Leaf(path, "number", "float64", (), xxh3_128_hexdigest(data), repr(value), "", memoryview(data))


def packed_numbers(path: str, values: Any) -> Leaf | None:
    """A long list of plain numbers as one leaf of float64."""
    if len(values) <= MANY_NUMBERS or type(values[0]) not in (int, float):
        return None
    if not all(type(value) is float or (type(value) is int and abs(value) < 2**53) for value in values):
        return None
    data = array("d", values).tobytes()
    kinds = bytes(type(value) is float for value in values)
    return Leaf(path, "numbers", "float64", (len(values),), xxh3_128_hexdigest(data + kinds), "", "", memoryview(data))


def _guarded(read: Callable[[], Leaf], path: str, kind: str) -> Leaf:
    from reprocheck.worker.fingerprint.plain import UnsupportedTensor

    try:
        return read()
    except UnsupportedTensor as error:
        return Leaf(path, kind, reason=error.reason)
    except Exception as error:  # by type only: a message may hold an address
        return Leaf(path, kind, reason=f"it cannot be read: {type(error).__name__}")


def _tensor_leaf(path: str, value: Any) -> Leaf | None:
    torch: Any = sys.modules.get("torch")
    if not hasattr(torch, "Tensor"):
        return None
    if not issubclass(type(value), torch.Tensor):
        if type(value) in (torch.dtype, torch.device, torch.layout, torch.memory_format):
            return text_leaf(path, "constant", str(value))
        return None
    return _guarded(lambda: _read_tensor(path, value), path, "tensor")


def _read_tensor(path: str, value: Any) -> Leaf:
    from reprocheck.worker.fingerprint.digest import dtype_name, raw_bytes, tensor_digest
    from reprocheck.worker.fingerprint.unobserved import Unobserved

    with Unobserved():
        digest = tensor_digest(value).hex()
        dtype, shape, text, data = dtype_name(value), _shape_of(value), "", None
        with contextlib.suppress(Exception):  # no plain bytes: the digest stands
            data = raw_bytes(value)
            if value.ndim == 0 and not value.is_complex():
                text = repr(value.item())
    return Leaf(path, "tensor", dtype, shape, digest, text, "", data)


def _shape_of(tensor: Any) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in tensor.shape)
    except (
        AttributeError,
        RuntimeError,
        TypeError,
        ValueError,
    ):  # a nested tensor has none
        return ()


def _c_leaf(path: str, value: Any) -> Leaf | None:
    """A number or an array of numbers of `ctypes`; what holds pointers is opaque."""
    ctypes: Any = sys.modules.get("ctypes")
    if not hasattr(ctypes, "Array") or not issubclass(type(value), (ctypes.Array, ctypes._SimpleCData)):
        return None
    code: Any = type(value)
    while not isinstance(code, str):
        code = getattr(code, "_type_", "P")
    if code not in "cbBhHiIlLqQfdg?":
        return None
    plain = memoryview(value).tobytes()
    return Leaf(path, "bytes", f"ctypes {code}", (len(plain),), xxh3_128_hexdigest(plain))


def _array_leaf(path: str, value: Any) -> Leaf | None:
    numpy: Any = sys.modules.get("numpy")
    if not hasattr(numpy, "ndarray"):
        return None
    kind = type(value)
    if not issubclass(kind, (numpy.ndarray, numpy.generic)):
        return text_leaf(path, "constant", str(value)) if issubclass(kind, numpy.dtype) else None
    array_of = value if issubclass(kind, numpy.ndarray) else numpy.asarray(value)
    if array_of.dtype.hasobject:
        return None
    return _guarded(lambda: _read_array(path, array_of), path, "array")


def _read_array(path: str, value: Any) -> Leaf:
    from reprocheck.worker.fingerprint.arrays import array_digest
    from reprocheck.worker.fingerprint.plain import LARGEST_REPEATED, repeats

    digest = array_digest(value).hex()
    is_masked = hasattr(value, "_mask")  # what lies under a mask is noise
    number = value.ndim == 0 and value.dtype.kind in "fiub" and not is_masked
    is_kept = value.nbytes <= LARGEST_REPEATED or not repeats(value.shape, value.strides)
    is_plain = value.dtype.kind in "fiubc" and not is_masked and is_kept
    data = memoryview(value.tobytes()) if is_plain else None
    text = repr(value.item()) if number else ""
    return Leaf(path, "array", value.dtype.str, tuple(value.shape), digest, text, "", data)


def below(path: str, name: str) -> str:
    """The path of an attribute of what is at `path`."""
    return f"{path}.{name}" if path else name


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


def leaf_key(leaf: Leaf) -> str:
    """All that counts of a leaf, as one line."""
    return f"{leaf.name}\0{leaf.kind}\0{leaf.dtype}\0{leaf.shape}\0{leaf.digest or leaf.reason}"
