"""How far apart two values may lie and still count as the same: what `--tolerance` asks for. Standard library only.

Without it bits are compared. Whatever it allows, values must be there to be measured: of digests only bits are known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from fnmatch import fnmatchcase

CLOSE = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex32": (1e-3, 1e-5),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}
"""dtype → relative and absolute tolerance: the defaults of torch.testing (tested). Of any other dtype bits count."""

_MOST_ULP = 2**53
_NUMPY = {"f2": "float16", "f4": "float32", "f8": "float64", "c8": "complex64", "c16": "complex128"}


class Measure(str, Enum):
    """How values are compared that no metric's own margin speaks of."""

    BITWISE = "bitwise"
    ULP = "ulp"
    CLOSE = "close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """How far a metric may lie from its reference."""

    absolute: float = 0.0
    relative: float = 0.0

    def allows(self, value: float, reference: float) -> bool:
        """NaN is near NaN only, and an infinity near itself only."""
        if value == reference or (math.isnan(value) and math.isnan(reference)):
            return True
        return abs(value - reference) <= self.absolute + self.relative * abs(reference) < math.inf

    def __str__(self) -> str:
        return f"{self.relative * 100:.12g}%" if self.relative else f"{self.absolute:.12g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """One measure for all values, and margins for metrics by name."""

    measure: Measure | None = None
    """None where nobody said: bitwise."""
    ulp: int = 0
    metrics: tuple[tuple[str, Margin], ...] = ()
    """Glob of metrics → margin; the first that fits counts."""

    @property
    def is_exact(self) -> bool:
        """Values count by their bits, but for metrics with a margin of their own."""
        return self.measure in (None, Measure.BITWISE)

    def margin_of(self, name: str) -> Margin | None:
        """The margin of one metric, where it has its own."""
        return next((margin for glob, margin in self.metrics if glob == name or fnmatchcase(name, glob)), None)

    def over(self, other: Tolerance) -> Tolerance:
        """This one, and the other where this one says nothing."""
        merged = self if self.measure is not None else replace(self, measure=other.measure, ulp=other.ulp)
        named = {glob for glob, _ in self.metrics}
        return replace(merged, metrics=(*self.metrics, *(pair for pair in other.metrics if pair[0] not in named)))

    @property
    def options(self) -> tuple[str, ...]:
        """As a user writes it; `parse` is the inverse."""
        measure = () if self.measure is None else (f"ulp={self.ulp}" if self.ulp else self.measure.value,)
        return (*measure, *(f"{glob}={margin}" for glob, margin in self.metrics))


def parse(options: Iterable[str]) -> Tolerance:
    """The values of `--tolerance`. Raises ValueError with what they must be."""
    found = Tolerance()
    for word in options:
        name, equals, amount = word.rpartition("=")
        if (equals and name == "ulp") or word in ("bitwise", "close"):
            if found.measure is not None:
                raise ValueError("must not have two measures for all values")
            found = replace(found, measure=Measure(name or word), ulp=_ulp(amount) if name else 0)
        elif equals and name:
            if name in dict(found.metrics):
                raise ValueError(f"must not name {name} twice")
            found = replace(found, metrics=(*found.metrics, (name, _margin(amount))))
        else:
            raise ValueError("must be bitwise, close, ulp=N or METRIC=AMOUNT, as in loss=1e-4 or loss=1%")
    return found


def float_name(dtype: str) -> str:
    """Torch's name for a floating-point dtype that may be given by numpy's; any other as it is."""
    return _NUMPY.get(dtype.lstrip("<>=|"), dtype)


def close_margin(dtype: str) -> Margin:
    """What `close` allows for a dtype, by torch's name or numpy's."""
    relative, absolute = CLOSE.get(float_name(dtype), (0.0, 0.0))
    return Margin(relative=relative, absolute=absolute)


def _ulp(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 16) or not 0 < int(text) <= _MOST_ULP:
        raise ValueError("must have a number of steps from 1 after ulp=")
    return int(text)


def _margin(text: str) -> Margin:
    percent = text.endswith("%")
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise ValueError("must have a number from 0, or a percentage, after the name of a metric")
    return Margin(relative=number / 100) if percent else Margin(absolute=number)
