"""Whether two tensors, or two numbers, lie within a tolerance of each other, from their bytes. Without torch."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

from reprocheck.model.tolerance import Measure, Tolerance, close_margin, float_name
from reprocheck.model.values import BLOCK, Format, distance, format_of

if TYPE_CHECKING:
    from reprocheck.model.values import Array


def count_beyond(a: memoryview, b: memoryview, dtype: str, shape: tuple[int, ...], tolerance: Tolerance) -> int:
    """How many elements of b lie further from those of a than is allowed. Elements with equal bits never do.

    Two NaN of other payloads are near each other. Raises ValueError when the bytes cannot be of dtype and shape.
    """
    import numpy as np

    total = math.prod(shape)
    if a.nbytes != b.nbytes or (total and a.nbytes % total):
        raise ValueError(f"{a.nbytes} and {b.nbytes} bytes cannot both be {dtype} {shape}")
    if not total or not a.nbytes:
        return 0
    form = format_of(dtype, a.nbytes // total)
    if a.nbytes != total * form.size:
        raise ValueError(f"{a.nbytes} bytes cannot be {dtype} {shape}")
    left, right = (np.frombuffer(data, form.word).reshape(total, form.parts) for data in (a, b))
    beyond = 0
    block = max(1, BLOCK // form.parts)
    for start in range(0, total, block):
        x, y = left[start : start + block], right[start : start + block]
        rows = np.flatnonzero((x != y).any(axis=1))
        if rows.size:
            beyond += int(rows.size - _near(x[rows], y[rows], form, dtype, tolerance).sum())
    return beyond


def number_is_near(value: float, reference: float, name: str, dtype: str, tolerance: Tolerance) -> bool:
    """Whether a metric lies within its own margin, else within what is allowed for all values of its dtype."""
    margin = tolerance.margin_of(name)
    if margin is not None:
        return margin.allows(value, reference)
    data = [_packed(number, dtype) for number in (reference, value)]
    if any(item is None for item in data):  # an integer, or a dtype without numbers of our own
        return value == reference
    one, other = (memoryview(item) for item in data if item is not None)
    return count_beyond(one, other, float_name(dtype), (), tolerance) == 0


def _near(x: Array, y: Array, form: Format, dtype: str, tolerance: Tolerance) -> Array:
    """One truth value a row: y with its reference x."""
    import numpy as np

    if form.numbers is None or form.ranks is None or tolerance.is_exact:
        return np.zeros(len(x), dtype=bool)
    one, other = form.numbers(x), form.numbers(y)
    both_nan = np.isnan(one) & np.isnan(other)
    near: Array
    good: Array
    if tolerance.measure is Measure.ULP:
        numbers = ~(np.isnan(one) | np.isnan(other))
        near = numbers & (distance(form.ranks(x), form.ranks(y)) <= np.uint64(tolerance.ulp))
        good = np.all(near | both_nan, axis=1)
        return good
    margin = close_margin(dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        if form.parts == 2:  # a complex number: what counts is the distance in the plane
            gap, size = (np.hypot(z[:, 0], z[:, 1])[:, None] for z in (one - other, one))
        else:
            gap, size = np.abs(one - other), np.abs(one)
        near = np.isfinite(one) & (gap <= margin.absolute + margin.relative * size)
    good = np.all(near | (one == other) | both_nan, axis=1)
    return good


_CODES = {"float16": "<e", "float32": "<f", "float64": "<d"}


def _packed(number: float, dtype: str) -> bytes | None:
    """A number as the bytes of its dtype; None where it is no float that Python can pack."""
    name = float_name(dtype)
    try:
        if name == "bfloat16":
            return struct.pack("<f", number)[2:]
        return struct.pack(_CODES[name], number) if name in _CODES else None
    except OverflowError:
        return None
