"""How two tensors of the same dtype and shape differ, from their bytes. Runs in the parent: without torch.

Bits are compared, so two NaNs of other payloads differ and so do 0.0 and -0.0. The work goes in blocks: it
needs some megabytes besides the two tensors, whatever their size.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

BLOCK = 1 << 18
"""Elements of a storage compared at a time."""
SAMPLES = 4
_LONGEST_TEXT = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueDifference:
    """What differs between the values of two tensors, a and b."""

    different: int
    """Elements whose bits differ."""
    total: int
    max_abs: float | None
    """Greatest absolute difference where both values are finite (of complex numbers, of one part), or None
    where that is nowhere or the values are no numbers. Never more than the greatest finite float."""
    max_ulp: int | None
    """Greatest distance between two floats that are not NaN, in steps to the next representable value of the
    dtype. Infinity follows the greatest float, -0.0 comes just before 0.0: other bits are never 0 apart."""
    index: tuple[int, ...]
    """The element with the greatest absolute difference, else the first one that differs."""
    samples: tuple[tuple[tuple[int, ...], str, str], ...]
    """The first elements that differ: index, value in a, value in b."""


def compare_values(a: memoryview, b: memoryview, dtype: str, shape: tuple[int, ...]) -> ValueDifference | None:
    """Compare element by element; None when every bit is equal. `dtype` is torch's name or numpy's."""
    import numpy as np

    total = math.prod(shape)
    if a.nbytes != b.nbytes:
        raise ValueError(f"{a.nbytes} and {b.nbytes} bytes cannot both be {dtype} {shape}")
    if not total or not a.nbytes:
        return None
    form = format_of(dtype, a.nbytes // total)
    if a.nbytes != total * form.size:
        raise ValueError(f"{a.nbytes} bytes cannot be {dtype} {shape}")
    left, right = (np.frombuffer(data, form.word).reshape(total, form.parts) for data in (a, b))

    different = 0
    first: list[int] = []
    worst: tuple[float, int] | None = None
    max_ulp: int | None = None
    block = max(1, BLOCK // form.parts)
    for start in range(0, total, block):
        x, y = left[start : start + block], right[start : start + block]
        if x.tobytes() == y.tobytes():  # by far the fastest test, and mostly true
            continue
        rows = np.flatnonzero((x != y).any(axis=1))
        different += rows.size
        first += (rows[: SAMPLES - len(first)] + start).tolist()
        x, y = x[rows], y[rows]
        if form.gap is not None:
            gaps = form.gap(x, y).max(axis=1)
            row = int(gaps.argmax())
            if gaps[row] >= 0 and (worst is None or gaps[row] > worst[0]):
                worst = float(gaps[row]), int(rows[row]) + start
        if form.steps is not None:
            steps = form.steps(x, y)
            if steps.size:
                max_ulp = max(max_ulp or 0, int(steps.max()))
    if not different:
        return None

    def place(flat: int) -> tuple[int, ...]:
        return tuple(int(i) for i in np.unravel_index(flat, shape))

    return ValueDifference(
        different=different,
        total=total,
        max_abs=None if worst is None else worst[0],
        max_ulp=max_ulp,
        index=place(first[0] if worst is None else worst[1]),
        samples=tuple((place(flat), *_texts(form, left[flat], right[flat])) for flat in first),
    )


@dataclass(frozen=True, slots=True)
class Format:
    """How the bits of one element are read. The functions take arrays of unsigned integers, a row per element."""

    word: np.dtype[Any]
    """Unsigned integers, so that == compares bits."""
    parts: int
    """Unsigned integers in one element."""
    text: Callable[[Array], str]
    gap: Callable[[Array, Array], Array] | None = None
    """Absolute differences, -1 where there is none."""
    steps: Callable[[Array, Array], Array] | None = None
    """ULP distances of those pairs that have one, in one dimension."""
    numbers: Callable[[Array], Array] | None = None
    """Floats to float64."""
    ranks: Callable[[Array], Array] | None = None
    """The position of each float among all values of its dtype."""

    @property
    def size(self) -> int:
        return self.word.itemsize * self.parts


def _texts(form: Format, x: Array, y: Array) -> tuple[str, str]:
    """Both values; with their bits where they read the same."""
    left, right = form.text(x), form.text(y)
    if left == right:
        return f"{left} ({_hexadecimal(x)})", f"{right} ({_hexadecimal(y)})"
    return left, right


def _hexadecimal(raw: Array) -> str:
    """The bits, most significant digit first; of many integers one after the other."""
    digits = raw.dtype.itemsize * 2
    return _short("0x" + "_".join(f"{int(word):0{digits}x}" for word in raw[:_LONGEST_TEXT]))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 3] + "..."


_PAIRS = {"complex32": "float16", "complex64": "float32", "complex128": "float64"}


@lru_cache(maxsize=64)
def format_of(dtype: str, size: int) -> Format:
    """The form of a dtype, or of `size` opaque bytes when it is not known."""
    import numpy as np

    if dtype in _PAIRS:
        return _float_format(_native_float(_PAIRS[dtype]), parts=2)
    if dtype in _SMALL_FLOATS:
        return _float_format(_SMALL_FLOATS[dtype]())
    try:
        known = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):
        return _opaque_format(size)
    if known.kind == "c" and known.itemsize in (8, 16):
        return _float_format(_native_float(f"{known.byteorder}f{known.itemsize // 2}"), parts=2)
    if known.kind == "f" and known.itemsize in (2, 4, 8):
        return _float_format(_native_float(dtype))
    if known.kind in "iub":
        return _integer_format(known)
    if known.kind in "mMSU" and known.itemsize:
        return _opaque_format(known.itemsize, known)
    return _opaque_format(size)


def _opaque_format(size: int, known: np.dtype[Any] | None = None) -> Format:
    """Elements that are compared but not measured."""
    import numpy as np

    def text(raw: Array) -> str:
        if known is None:
            return _hexadecimal(raw)
        value = raw.view(known)[0]
        return _short(str(value) if known.kind in "mM" else repr(value.item()))

    return Format(np.dtype(np.uint8), size, text)


def _integer_format(known: np.dtype[Any]) -> Format:
    import numpy as np

    word = np.dtype(f"{known.byteorder}u{known.itemsize}")
    wide = np.dtype(np.int64 if known.kind == "i" else np.uint64)

    def gap(x: Array, y: Array) -> Array:
        return distance(x.view(known).astype(wide), y.view(known).astype(wide)).astype(np.float64)

    return Format(word, 1, lambda raw: str(raw.view(known)[0]), gap)


def distance(x: Array, y: Array) -> Array:
    """|x - y| of 64-bit integers, exact: the wrapped difference of the unsigned is the true one."""
    import numpy as np

    wrapped = x.view(np.uint64) - y.view(np.uint64)
    result: Array = np.where(x > y, wrapped, np.uint64(0) - wrapped)
    return result


@dataclass(frozen=True, slots=True)
class _Float:
    """A floating-point dtype of real numbers."""

    word: np.dtype[Any]
    decode: Callable[[Array], Array]
    """Bits to numpy floats, exact."""
    text: Callable[[Array], str]
    """One word to the shortest text that only this value rounds to."""
    signed: bool = True
    negative_zero: bool = True


def _float_format(real: _Float, parts: int = 1) -> Format:
    import numpy as np

    def gap(x: Array, y: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            left, right = real.decode(x).astype(np.float64), real.decode(y).astype(np.float64)
            gaps = np.minimum(np.abs(left - right), sys.float_info.max)
        gaps[~(np.isfinite(left) & np.isfinite(right) & (x != y))] = -1
        return gaps

    def steps(x: Array, y: Array) -> Array:
        numbers = (x != y) & ~np.isnan(real.decode(x)) & ~np.isnan(real.decode(y))
        return distance(_ranks(x[numbers], real), _ranks(y[numbers], real))

    def text(raw: Array) -> str:
        if parts == 1:
            return real.text(raw)
        first, second = real.text(raw[:1]), real.text(raw[1:])
        return f"{first}{'' if second.startswith('-') else '+'}{second}j"

    def numbers(raw: Array) -> Array:
        return real.decode(raw).astype(np.float64)

    return Format(real.word, parts, text, gap, steps, numbers, lambda raw: _ranks(raw, real))


def _ranks(raw: Array, real: _Float) -> Array:
    """The position of each value among all values of its dtype, counted from 0.0."""
    import numpy as np

    bits = raw.astype(np.int64)
    if not real.signed:
        return bits
    sign = 1 << (8 * raw.dtype.itemsize - 1)
    if sign == 1 << 63:
        return np.where(bits < 0, np.int64(-1) - (bits & np.int64(2**63 - 1)), bits)
    return np.where(bits >= sign, sign - bits - int(real.negative_zero), bits)


def _native_float(dtype: str) -> _Float:
    """A dtype that numpy has."""
    import numpy as np

    known = np.dtype(dtype)
    word = np.dtype(f"{known.byteorder}u{known.itemsize}")
    return _Float(word, lambda raw: raw.view(known), lambda raw: str(raw.view(known)[0]))


def _bfloat16() -> _Float:
    import numpy as np

    def decode(raw: Array) -> Array:
        return (raw.astype(np.uint32) << np.uint32(16)).view(np.float32)

    return _Float(np.dtype(np.uint16), decode, lambda raw: _shortest(int(raw[0]), 1 << 15, decode, np.uint16))


def _float8(exponent_bits: int, bias: int, special: str) -> _Float:
    """A float of 8 bits. Special codes are those of IEEE 754 (`ieee`), only NaN at the top (`fn`), or only
    NaN in place of -0.0 (`fnuz`)."""
    mantissa_bits = 7 - exponent_bits

    def value(code: int) -> float:
        exponent, mantissa = (
            code >> mantissa_bits & ((1 << exponent_bits) - 1),
            code & ((1 << mantissa_bits) - 1),
        )
        sign = -1.0 if code >> 7 else 1.0
        if (special == "fnuz" and code == 0x80) or (special == "fn" and code & 0x7F == 0x7F):
            return math.nan
        if special == "ieee" and exponent == (1 << exponent_bits) - 1:
            return math.nan if mantissa else sign * math.inf
        if exponent == 0:
            return sign * math.ldexp(mantissa, 1 - bias - mantissa_bits)
        return sign * math.ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits)

    return _table_float([value(code) for code in range(256)], negative_zero=special != "fnuz")


def _e8m0() -> _Float:
    """Powers of two, without sign or zero."""
    return _table_float([math.ldexp(1.0, code - 127) for code in range(255)] + [math.nan], signed=False)


def _table_float(values: list[float], *, signed: bool = True, negative_zero: bool = True) -> _Float:
    import numpy as np

    table = np.array(values, dtype=np.float32)
    magnitude = 1 << (7 if signed else 8)

    def decode(raw: Array) -> Array:
        result: Array = table[raw]
        return result

    def text(raw: Array) -> str:
        return _shortest(int(raw[0]), magnitude, decode, np.uint8)

    return _Float(np.dtype(np.uint8), decode, text, signed, negative_zero)


def _shortest(code: int, magnitude: int, decode: Callable[[Array], Array], word: type[Any]) -> str:
    """The fewest digits that lie nearer to this value than to its neighbours."""
    import numpy as np

    near = [other for other in (code - 1, code + 1) if other // magnitude == code // magnitude]
    value, *others = (float(number) for number in decode(np.array([code, *near], dtype=word)))
    gaps = [abs(other - value) for other in others if math.isfinite(other)]
    if not math.isfinite(value) or not gaps:
        return str(value)
    for digits in range(1, 17):
        text = f"{value:.{digits}g}"
        if abs(float(text) - value) < min(gaps) / 2:
            break
    return repr(float(text))


_SMALL_FLOATS: dict[str, Callable[[], _Float]] = {
    "bfloat16": _bfloat16,
    "float8_e4m3fn": lambda: _float8(4, 7, "fn"),
    "float8_e5m2": lambda: _float8(5, 15, "ieee"),
    "float8_e4m3fnuz": lambda: _float8(4, 8, "fnuz"),
    "float8_e5m2fnuz": lambda: _float8(5, 16, "fnuz"),
    "float8_e8m0fnu": _e8m0,
}
