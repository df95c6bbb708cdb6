"""Bytes in a file → the elements of a tensor in C order, checked against the size of what holds them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from reprocheck.commands.diff.checkpoints.model import Unreadable

if TYPE_CHECKING:
    from reprocheck.model.values import Array

SIZES = {
    **dict.fromkeys(("bool", "uint8", "int8", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"), 1),
    **dict.fromkeys(("int16", "uint16", "float16", "bfloat16"), 2),
    **dict.fromkeys(("int32", "uint32", "float32", "complex32"), 4),
    **dict.fromkeys(("int64", "uint64", "float64", "complex64"), 8),
    "complex128": 16,
}
"""Bytes of an element."""


def size_of(dtype: str) -> int:
    """Bytes of an element. Raises Unreadable for a dtype that is not known."""
    if dtype not in SIZES:
        raise Unreadable(f"values of dtype {dtype} are not read")
    return SIZES[dtype]


def elements(data: memoryview, dtype: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> memoryview:
    """The elements of a view into `data`; offset and strides count elements. Raises Unreadable."""
    import numpy as np

    size, count = size_of(dtype), math.prod(shape)
    if not count:
        return memoryview(b"")
    last = offset + sum((extent - 1) * stride for extent, stride in zip(shape, strides, strict=True))
    if (last + 1) * size > data.nbytes:
        raise Unreadable("it lies outside of its storage: the file is damaged or cut short")
    if strides == contiguous(shape):
        return data[offset * size : (offset + count) * size]
    if count * size > data.nbytes:
        raise Unreadable("it is an expanded view: its elements are not stored one by one")
    words = np.frombuffer(data, f"V{size}")[offset:]
    view = np.lib.stride_tricks.as_strided(words, shape, tuple(stride * size for stride in strides), writeable=False)
    return bytes_of(np.ascontiguousarray(view))


def bytes_of(array: Array) -> memoryview:
    """The bytes of an array in C order, without a copy."""
    return array.reshape(-1).view("u1").data if array.size else memoryview(b"")


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of C order, in elements."""
    strides, step = [], 1
    for extent in reversed(shape):
        strides.append(step)
        step *= max(1, extent)
    return tuple(reversed(strides))
