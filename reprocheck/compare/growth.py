"""What a distance over steps does: it grows, dies out or stays, at which rate, and what was one step's jump. Pure.

The logarithm of a distance is no line with independent noise about it: neighbours are alike, what a step adds stays.
So the rate is the median of the slopes between all pairs of points (Theil and Sen), and its interval comes from the
slopes between the medians of a few blocks: those are all but independent if steps add noise that stays, and vary more
than they have to if noise does not stay. It holds the rate with a chance of 90 % or more either way.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from reprocheck.compare.seed_statistics import t_quantile
from reprocheck.model.drift import Curve, Drift, Growth, Jump, Law, Trend

LEVEL = 0.9
MOST_POINTS = 96
BLOCKS = 9
LEAST_POINTS = 8
"""Of which a rate is said."""
WIDER = 1.1
"""The slope between all pairs varies so much more than that between the ends where noise stays."""
JUMP = 20.0
"""A step that multiplies the distance by so much is no growth."""
EARLY = 3
"""Steps from the first difference on in which a jump may be its spreading to all parameters."""
SATURATED = 0.2
"""Of the way that training moved the parameters: two runs that far apart grow no further from each other."""
FEW_TOUCHED = 0.3
"""Part of the parameters that steps of another sign move, at most."""
ROUNDING_OF_GRADIENTS = 1e-2
"""Relative distance of gradients up to which they differ by rounding, when signs change."""
ULP = 0.6
"""Relative distance of two vectors that are one ULP apart everywhere, in the epsilon of their dtype."""
CLEARLY_LESS = 0.7
"""A law whose residuals are that much smaller than the other's is the better one."""
MUCH = 10.0
"""Times its first value that a difference has grown to, whatever its rate."""
DEAD = 0.1
"""Of its greatest value: what is left of a difference that dies out."""


@dataclass(frozen=True, slots=True)
class Slope:
    """Of a line through points, with the interval that holds it with a chance of 90 %."""

    middle: float
    low: float
    high: float
    residual: float
    """Mean distance of all points from it."""


def slope_of(x: Sequence[float], y: Sequence[float]) -> Slope | None:
    """None for too few points."""
    given = list(zip(x, y, strict=True))
    x, y = _evenly(x, y)
    count = len(x)
    if count < LEAST_POINTS:
        return None
    pairs = [(y[j] - y[i]) / (x[j] - x[i]) for i in range(count) for j in range(i + 1, count) if x[j] > x[i]]
    middle = statistics.median(pairs)
    shift = statistics.median(b - middle * a for a, b in zip(x, y, strict=True))
    residual = statistics.fmean(abs(b - middle * a - shift) for a, b in given)
    blocks = min(BLOCKS, count // 2)
    edges = [number * count // blocks for number in range(blocks + 1)]
    middles = [(statistics.median(x[start:stop]), statistics.median(y[start:stop])) for start, stop in pairwise(edges)]
    slopes = [(d - b) / (c - a) for (a, b), (c, d) in pairwise(middles)]
    half = WIDER * t_quantile(len(slopes) - 1, LEVEL) * statistics.stdev(slopes) / math.sqrt(len(slopes))
    half += 1e-9 * abs(middle)
    return Slope(middle, middle - half, middle + half, residual)


def _evenly(x: Sequence[float], y: Sequence[float]) -> tuple[list[float], list[float]]:
    """At most so many points, evenly over their range: those of long trainings lie closer at the start."""
    if len(x) <= 2:
        return list(x), list(y)
    low, high = x[0], x[-1]
    most = min(MOST_POINTS, len(x))
    kept: dict[int, tuple[float, float]] = {}
    for a, b in zip(x, y, strict=True):
        kept.setdefault(int((a - low) / (high - low) * (most - 1) + 0.5), (a, b))
    return [a for a, _ in kept.values()], [b for _, b in kept.values()]


def growth_of(drift: Drift) -> Growth:
    """What the distance of the parameters does from the first difference on."""
    points = [(step, value) for step, value in _pairs(drift.parameters) if drift.first is not None]
    points = [(step, value) for step, value in points if step >= (drift.first or 0)]
    finite = [(step, value) for step, value in points if value > 0 and math.isfinite(value)]
    if not finite:
        return Growth(trend=Trend.NONE)
    level = ULP * drift.epsilon
    end_step, end = points[-1]
    jump = jump_of(drift, level)
    start = jump.step if jump is not None else finite[0][0]
    window = _before_saturation([(step, value) for step, value in finite if step >= start], drift)
    first = dict(finite).get(start, finite[0][1])
    peak = max(value for _, value in finite)
    same_from = _equal_from(points)
    base = Growth(
        trend=Trend.STAYS, jump=jump, first_step=start, last_step=window[-1][0], start=first, end=end, end_step=end_step
    )
    if not math.isfinite(end):
        return replace(base, trend=Trend.NOT_FINITE)
    if same_from is not None:
        return replace(_rated(base, window, level, down=True), trend=Trend.DIES_OUT, equal_from=same_from)
    rated = _rated(base, window, level)
    saturated = window[-1][0] < finite[-1][0]
    if rated.law is not None and rated.low > 0:
        return replace(rated, trend=Trend.GROWS, saturated=saturated)
    is_dead = end <= DEAD * peak
    if rated.law is not None and rated.high < 0:
        return replace(_rated(base, window, level, down=True), trend=Trend.DIES_OUT if is_dead else Trend.SHRINKS)
    if is_dead:
        return replace(base, trend=Trend.DIES_OUT)
    if end >= MUCH * first:  # measured as it is, though at no steady rate
        return replace(base, trend=Trend.GROWS)
    return replace(rated, trend=Trend.STAYS, saturated=saturated)


def _rated(base: Growth, points: Sequence[tuple[int, float]], level: float, *, down: bool = False) -> Growth:
    """With the law and its rate. `down`: as far as it is above the level of rounding, below which nothing shrinks."""
    if down:
        above = [(step, value) for step, value in points if value > 4 * level]
        points = above if len(above) >= LEAST_POINTS else points
    begin = points[0][0]
    steps = [float(step - begin) for step, _ in points]
    logs = [math.log(value) for _, value in points]
    exponential = slope_of(steps, logs)
    if exponential is None:
        return base
    law, best = Law.EXPONENTIAL, exponential
    power = slope_of([math.log1p(step) for step in steps], logs)
    if power is not None and power.low > 0 and power.residual < CLEARLY_LESS * exponential.residual:
        law, best = Law.POWER, power
    return replace(base, law=law, rate=best.middle, low=best.low, high=best.high, last_step=points[-1][0])


def jump_of(drift: Drift, level: float) -> Jump | None:
    """The last step that multiplied the distance, in the first steps of a difference."""
    curve, found = drift.parameters, None
    before: tuple[int, float] | None = None
    for place, (step, value) in enumerate(_pairs(curve)):
        if drift.first is None or step < drift.first:
            continue
        if step > drift.first + EARLY:
            break
        known = level if before is None else before[1]
        if known > 0 and math.isfinite(value) and value >= JUMP * known:
            largest = drift.largest_step[place] if drift.largest_step else 0.0
            touched = drift.touched[place] if drift.touched else 0.0
            gradients = drift.gradients.at(step)
            signs = (
                largest >= 0.5
                and touched <= FEW_TOUCHED
                and gradients is not None
                and gradients <= ROUNDING_OF_GRADIENTS
                and drift.normalizes
            )
            found = Jump(step=step, before=known, after=value, rates=largest, touched=touched, signs=signs)
        if value > 0:
            before = step, value
    return found


def _before_saturation(points: list[tuple[int, float]], drift: Drift) -> list[tuple[int, float]]:
    travelled = dict(_pairs(drift.travelled))
    for place, (step, value) in enumerate(points):
        way = travelled.get(step, 0.0)
        if place >= LEAST_POINTS and way > 0 and value >= SATURATED * way:
            return points[:place]
    return points


def _equal_from(points: Sequence[tuple[int, float]]) -> int | None:
    """The step from which on the runs are equal again, to the end."""
    found = None
    for step, value in reversed(points):
        if value:
            break
        found = step
    return found


def _pairs(curve: Curve) -> list[tuple[int, float]]:
    return list(zip(curve.steps, curve.distances, strict=True))
