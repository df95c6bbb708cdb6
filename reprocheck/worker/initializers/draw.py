"""Which distribution drew some values: likelihoods of the schemes, and of distributions with fitted figures. Pure."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reprocheck.model.initializers import Family
from reprocheck.worker.initializers.schemes import Scheme

Array = NDArray[np.float64]

MOST_TESTED = 100_000
"""Elements whose distribution is compared as a whole; mean, spread and ends are those of all."""
FITTED_PENALTY = 5.0
"""Nats that a figure costs that is fitted and not known beforehand, besides what the size of the sample makes of it."""
_LOG_2_PI = math.log(2 * math.pi)


@dataclass(frozen=True, slots=True)
class Sample:
    """What the likelihoods need."""

    count: int
    mean: float
    square: float
    """Mean of the squares."""
    low: float
    high: float
    some: Array
    """Sorted; at most MOST_TESTED."""
    fourth: float
    """Mean of the fourth powers of the distances from the mean."""
    slack: float
    """How far rounding to the dtype can move a value, relative to it."""

    @property
    def reach(self) -> float:
        """The greatest absolute value."""
        return max(-self.low, self.high)

    @property
    def std(self) -> float:
        """Around the mean."""
        return math.sqrt(max(0.0, self.square - self.mean**2))


def sample(values: Array, slack: float) -> Sample:
    """Of at least one finite value."""
    flat = values.reshape(-1)
    some = flat if flat.size <= MOST_TESTED else flat[:: -(-flat.size // MOST_TESTED)]
    return Sample(
        count=flat.size,
        mean=float(flat.mean()),
        square=float(np.square(flat).mean()),
        low=float(flat.min()),
        high=float(flat.max()),
        some=np.sort(some),
        fourth=float(np.square(np.square(flat - flat.mean())).mean()),
        slack=slack,
    )


def log_likelihood(seen: Sample, scheme: Scheme) -> float:
    """Nats; -inf for values that the scheme cannot draw."""
    if scheme.scale <= 0:
        return -math.inf
    n, centre = seen.count, scheme.centre
    ends = max(centre - seen.low, seen.high - centre)
    if scheme.family is Family.UNIFORM:
        rounding = seen.slack * max(seen.reach, scheme.scale)
        if ends > scheme.scale + rounding:
            return -math.inf
        half = (seen.high - seen.low) / 2  # ends within rounding of those that are seen explain them as well
        return -n * math.log(2 * (half if scheme.scale - half <= rounding else scheme.scale))
    around = seen.square - 2 * centre * seen.mean + centre**2
    normal = -n * (math.log(scheme.scale) + _LOG_2_PI / 2 + around / (2 * scheme.scale**2))
    if scheme.family is Family.NORMAL:
        return normal
    if ends > scheme.cut * (1 + seen.slack):
        return -math.inf
    return normal - n * math.log(math.erf(scheme.cut / scheme.scale / math.sqrt(2)))


def fitted(seen: Sample) -> Iterator[tuple[Scheme, float]]:
    """Distributions with their figures from the values, each with its penalty in nats.

    Of n values the ends are known to one part in n, a mean or a spread to one in √n.
    """
    n = seen.count
    if n < 2 or not seen.high > seen.low:
        return
    end, spread = math.log(n + 1), math.log(n + 1) / 2
    half, middle = (seen.high - seen.low) / 2, (seen.high + seen.low) / 2
    yield Scheme("", Family.UNIFORM, seen.reach), FITTED_PENALTY + end
    yield Scheme("", Family.UNIFORM, half, 1, middle), 2 * (FITTED_PENALTY + end)
    yield Scheme("", Family.NORMAL, math.sqrt(seen.square)), FITTED_PENALTY + spread
    yield Scheme("", Family.NORMAL, seen.std, 1, seen.mean), 2 * (FITTED_PENALTY + spread)
    for centre, reach, more in ((0.0, seen.reach, 0.0), (middle, half, FITTED_PENALTY + end)):
        scale = _scale_within(seen.square - 2 * centre * seen.mean + centre**2, reach)
        if scale is not None:
            both = 2 * FITTED_PENALTY + end + spread
            yield Scheme("", Family.TRUNCATED, scale, 1, centre, reach), both + more


def _scale_within(square: float, reach: float) -> float | None:
    """The standard deviation before the cut of a normal that has this mean square within ±reach; None: hardly cut."""
    wanted = square / reach**2
    if not 0 < wanted < 1 / 3:  # a uniform has a third
        return None
    low, high = 0.05, 20.0  # reach in standard deviations, on which the mean square hangs
    for _ in range(60):
        ratio = math.sqrt(low * high)
        density = math.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
        mean_square = (1 - 2 * ratio * density / math.erf(ratio / math.sqrt(2))) / ratio**2
        low, high = (ratio, high) if mean_square > wanted else (low, ratio)
    return reach / low if 0.5 < low < 3.5 else None


def tails(seen: Sample) -> float:
    """How much heavier (above 0) or lighter the tails are than those of a normal distribution, in standard errors."""
    if not seen.std > 0:
        return 0.0
    return (seen.fourth / seen.std**4 - 3) / math.sqrt(24 / seen.count)


def misfit(seen: Sample, scheme: Scheme) -> float:
    """Kolmogorov and Smirnov's distance times the root of the count: above 2.5 once in 10⁵ honest samples."""
    place = (seen.some - scheme.centre) / scheme.scale
    if scheme.family is Family.UNIFORM:
        below = np.clip((place + 1) / 2, 0, 1)
    else:
        below = _normal_cdf(place)
        if scheme.family is Family.TRUNCATED:
            inside = math.erf(scheme.cut / scheme.scale / math.sqrt(2))
            below = np.clip((below - (1 - inside) / 2) / inside, 0, 1)
    n = len(seen.some)
    ranks = np.arange(n + 1) / n
    distance = float(max((ranks[1:] - below).max(), (below - ranks[:-1]).max()))
    return max(0.0, distance - seen.slack) * math.sqrt(n)


def _normal_cdf(values: Array) -> Array:
    """From a table of the error function: between its places it is straight to 1e-7."""
    grid = np.linspace(-6, 6, 12_001)
    table = np.array(_table())
    below: Array = np.interp(values, grid, table)
    return below


@functools.cache
def _table() -> tuple[float, ...]:
    return tuple((1 + math.erf(x / math.sqrt(2))) / 2 for x in np.linspace(-6, 6, 12_001))
