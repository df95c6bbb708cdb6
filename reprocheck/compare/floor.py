"""The floor: how far twins come from their original, and a difference against it. Pure.

Rounding that differs, differs again in every step. So the floor of a step is what moves of one ULP in all steps up to
it would make together, if each did what the twins' one move did and all had directions of their own: the root of the
sum of squares of the twins' distances.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from reprocheck.compare.growth import LEVEL, ULP
from reprocheck.compare.seed_statistics import t_quantile
from reprocheck.model.drift import Curve, Drift, Floor, Size

ALLOWED = 10.0
"""Times the floor that a difference of rounding may be: its errors may be larger than one ULP, and fewer."""
CLEARLY = 100.0
"""Times the floor from which on it is more than rounding."""


def floor_of(twins: Sequence[Drift], base: Floor) -> Floor:
    """Its curves, from what the twins did."""
    known = [_summed(twin.parameters) for twin in twins]
    steps = [step for step in known[0] if all(step in one for one in known)] if known else []
    middle, low, high = [], [], []
    for step in steps:
        logs = [math.log(max(one[step], math.ulp(0.0))) for one in known]
        mean = statistics.fmean(logs)
        half = 0.0
        if len(logs) > 1:
            half = t_quantile(len(logs) - 1, LEVEL) * statistics.stdev(logs) * math.sqrt(1 + 1 / len(logs))
        middle.append(math.exp(mean))
        low.append(math.exp(max(mean - half, -700.0)))
        high.append(math.exp(min(mean + half, 700.0)))
    curves = [Curve(steps=tuple(steps), distances=tuple(values)) for values in (low, middle, high)]
    return replace(base, twins=len(twins), low=curves[0], middle=curves[1], high=curves[2])


def _summed(curve: Curve) -> dict[int, float]:
    """The root of the sum of squares up to each step; a step that was not written down counts as the one before it."""
    total, found = 0.0, {}
    gaps = [1, *(later - earlier for earlier, later in pairwise(curve.steps))]
    for step, value, gap in zip(curve.steps, curve.distances, gaps, strict=True):
        if not math.isfinite(value):
            break
        total += value * value * gap
        found[step] = math.sqrt(total)
    return found


def against_floor(drift: Drift, twins: Sequence[Drift], floor: Floor) -> Floor:
    """A difference against it. More than rounding is said of where it began alone: later any difference may grow."""
    if drift.first is None or not twins or not floor.middle.steps:
        return floor
    level = ULP * drift.epsilon
    onset = _onset(drift, twins, floor, level)
    end_step = max((step for step in drift.parameters.steps if step in set(floor.middle.steps)), default=None)
    end = width = None
    if end_step is not None:
        ours, theirs = drift.parameters.at(end_step), floor.middle.at(end_step)
        assert ours is not None
        assert theirs is not None
        end = ours / max(theirs, level)
        width = (floor.high.at(end_step) or theirs) / max(theirs, level)
    size = Size.BETWEEN
    if onset is not None:
        if onset >= CLEARLY * max(1.0, drift.precision / drift.epsilon):
            size = Size.BEYOND
        elif onset <= ALLOWED and end is not None and end <= max(ALLOWED, width or 0.0):
            size = Size.WITHIN
    return replace(floor, size=Size.UNKNOWN if onset is None else size, onset=onset, end=end)


def _onset(drift: Drift, twins: Sequence[Drift], floor: Floor, level: float) -> float | None:
    """By gradients, where they differ: an optimizer that divides them by their size makes any difference a large one of
    few parameters, and few of them are not in every twin."""
    assert drift.first is not None
    ratios = []
    ours = drift.gradients.at(drift.first)
    theirs = [value for twin in twins if (value := twin.gradients.at(drift.first)) is not None]
    if ours and theirs:
        ratios.append(ours / max(statistics.median(theirs), level))
    if not ratios or not drift.normalizes:
        distance, ulp = drift.parameters.at(drift.first), floor.middle.at(drift.first)
        if distance is not None and ulp is not None:
            ratios.append(distance / max(ulp, level))
    return max(ratios, default=None)
