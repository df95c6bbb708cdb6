"""How far two runs are from each other, step by step and by value, and what that means. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a sketch holds under one number."""

    kind: str
    """parameters, gradients, loss or rate."""
    name: str
    dtype: str
    shape: tuple[int, ...]
    elements: int
    samples: int
    """Elements that are there as they are."""
    looked_at: int
    """Elements that squares and projections are of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """Values of a training, step by step (protocol.sketch_format)."""

    run: str
    rows: tuple[Row, ...]
    steps: Mapping[int, Mapping[int, Array]]
    """Step → number of a row → its values."""
    precisions: tuple[str, ...] = ()
    """What matrix products were computed in, where that is less precise than the parameters."""
    full: int | None = None
    """The step from which on there was no room for more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A distance over steps."""

    steps: tuple[int, ...] = ()
    distances: tuple[float, ...] = ()
    """Relative to the first run's norm, of parameters as it was first; 0.0 where they are equal as far as was looked,
    inf where one is no number."""

    def at(self, step: int) -> float | None:
        """The distance after a step; None where it was not compared."""
        return dict(zip(self.steps, self.distances, strict=True)).get(step)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerDrift:
    """One parameter, its gradient, or the loss, in both runs."""

    kind: str
    """parameters, gradients or loss."""
    name: str
    elements: int
    first: int | None
    """The first step after which it differs."""
    max_ulp: int | None
    """Greatest distance of two sampled elements after that step; None where the dtype has none."""
    end: float
    """Relative distance after the last step."""
    end_ulp: int | None
    curve: Curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Two sketches, compared."""

    runs: tuple[str, str]
    first: int | None
    """The first step after which a value differs; None where none does."""
    parameters: Curve
    gradients: Curve
    loss: Curve
    layers: tuple[LayerDrift, ...] = ()
    travelled: Curve = Curve()
    """How far the first run's parameters are from where they were first, on the scale of `parameters`."""
    epsilon: float = 2.0**-23
    """Of the dtype that most parameters have."""
    precision: float = 0.0
    """Of what matrix products are computed in, where that is less precise; else 0."""
    normalizes: bool = False
    """An optimizer divides gradients by their size: steps are of the learning rate, however small a gradient is."""
    full: int | None = None
    """The step from which on there was no room for more."""
    unmatched: tuple[int, int] = (0, 0)
    """How many parameters of each run have another name, shape or dtype in the other one: they are not compared."""
    largest_step: tuple[float, ...] = ()
    """For each step of `parameters`, the greatest distance of two elements as far as samples show it, in learning
    rates; empty without an optimizer that has one."""
    touched: tuple[float, ...] = ()
    """For each step of `parameters`, the part of the samples that differs by a tenth of a learning rate or more."""


class Trend(str, Enum):
    """What a distance does over the steps."""

    NONE = "none"
    """There is none: no value differs."""
    GROWS = "grows"
    SHRINKS = "shrinks"
    STAYS = "stays"
    """Neither growth nor decline was shown."""
    DIES_OUT = "dies out"
    NOT_FINITE = "not finite"
    """One of the runs ends in values that are no numbers."""


class Law(str, Enum):
    """How a distance depends on the steps."""

    EXPONENTIAL = "exponential"
    POWER = "power"


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """A step that multiplied the distance: no growth."""

    step: int
    before: float
    after: float
    rates: float
    """The greatest difference of two elements after it, in learning rates, as far as it was seen."""
    touched: float
    """The part of the samples that differs by a tenth of a learning rate or more."""
    signs: bool
    """Gradients that differ by rounding, an optimizer that divides them by their size, and a few elements that moved by
    a learning rate: their gradients have another sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What the distance of the parameters does from the first difference on."""

    trend: Trend
    law: Law | None = None
    """None where there were too few points for a rate, or there is no steady one."""
    rate: float = 0.0
    """Exponential: growth of the logarithm in a step; power: the exponent."""
    low: float = 0.0
    high: float = 0.0
    """The interval that holds the rate with a chance of 90 %."""
    jump: Jump | None = None
    first_step: int = 0
    last_step: int = 0
    """The steps that the rate is of."""
    start: float = 0.0
    end: float = 0.0
    """Distances at the first one and at the end."""
    end_step: int = 0
    equal_from: int | None = None
    """The step from which on the runs are equal again."""
    saturated: bool = False
    """It stopped growing: the runs came as far apart as training moves parameters."""


class Size(str, Enum):
    """A difference against what moving every parameter by one ULP does."""

    WITHIN = "within"
    BETWEEN = "between"
    """More than one ULP did, and not so much more that it cannot be rounding."""
    BEYOND = "beyond"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What rounding alone does to this training: twins of a run, each with every parameter moved by one ULP."""

    twins: int = 0
    wanted: int = 0
    step: int = 0
    """Before which they were moved."""
    held: bool = False
    """Runs differ with everything equal, so twins and their original had the cause held constant."""
    middle: Curve = Curve()
    """Distance that an ULP which comes back in every step would make, by the twins' own curves."""
    low: Curve = Curve()
    high: Curve = Curve()
    """The interval that holds a further twin with a chance of 90 %; with one twin there is none."""
    size: Size = Size.UNKNOWN
    onset: float | None = None
    """How many times what the twins do, where the runs first differ: of gradients, or else of parameters."""
    end: float | None = None
    """The same of the parameters at the end."""
    reason: str = ""
    """Why there is none, or fewer twins than wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricEnd:
    """A metric of the two runs that differ."""

    name: str
    a: float
    b: float
    std: float | None = None
    """Over seeds; None where fewer than two have it or it is 0."""
    seeds: int = 1

    @property
    def in_std(self) -> float | None:
        """The difference in standard deviations over seeds."""
        return None if not self.std else abs(self.a - self.b) / self.std


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftAnswer:
    """Whether a difference matters, as far as it was measured."""

    seed: int
    drift: Drift | None = None
    growth: Growth = Growth(trend=Trend.NONE)
    floor: Floor = Floor()
    reproduces: bool = True
    """Runs with everything equal were equal."""
    reason: str = ""
    """Why nothing was measured; else empty."""
    runs: int = 0
    """That it took."""
