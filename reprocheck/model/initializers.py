"""What is known of a tensor, and what its values say. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from reprocheck.model.kinds import Confidence


class Family(str, Enum):
    """The kind of distribution or pattern."""

    ZEROS = "zeros"
    ONES = "ones"
    CONSTANT = "constant"
    EYE = "eye"
    DIRAC = "dirac"
    ARANGE = "arange"
    SPARSE = "sparse"
    ORTHOGONAL = "orthogonal"
    UNIFORM = "uniform"
    NORMAL = "normal"
    TRUNCATED = "truncated normal"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a tensor stands: all that an initialiser's scale may depend on, besides its shape."""

    layer: str = ""
    """The class of torch.nn that the module is or derives from: Linear, Conv2d, LSTM, ...; empty for any other."""
    name: str = "weight"
    """The parameter's name in its module."""
    fan_in: int | None = None
    """Of the module's weight: the default of a bias depends on it."""
    hidden: int | None = None
    """hidden_size of a recurrent module."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The initialiser of one tensor."""

    family: Family
    confidence: Confidence
    shape: str
    """The distribution or pattern with its figures: `uniform, -0.125 to 0.125`."""
    schemes: tuple[str, ...] = ()
    """What draws such values, the likeliest first, as one calls it. All of them fit."""
    equal: int = 0
    """So many of the first schemes are one and the same distribution: no values could distinguish them."""
    scale: float | None = None
    """Of a draw: the standard deviation, or half the width of a uniform one; from the scheme where one fits."""
    centre: float = 0.0
    nearest: str = ""
    """For UNKNOWN: the closest, though it does not fit."""
    note: str = ""

    @property
    def text(self) -> str:
        """One line for a person."""
        if self.family is Family.UNKNOWN:
            return f"unknown (nearest: {self.nearest})" if self.nearest else self.shape
        return self.schemes[0] if self.schemes else self.shape
