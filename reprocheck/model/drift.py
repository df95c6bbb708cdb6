"""How far two runs are from each other, step by step and by value, and what that means. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    """Relative to the first run's norm; 0.0 where they are equal as far as was looked, inf where one is no number."""

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
    full: int | None = None
    """The step from which on there was no room for more."""
    largest_step: tuple[float, ...] = ()
    """For each step of `parameters`, the greatest distance of two elements as far as samples show it, in learning
    rates; empty without an optimizer that has one."""
    touched: tuple[float, ...] = ()
    """For each step of `parameters`, the part of the samples that differs by a tenth of a learning rate or more."""
