"""A figure is a ratio of two times from the same rounds, with the interval that holds its median."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

COVERAGE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table."""

    group: str
    name: str
    value: float
    low: float
    high: float
    """Ends of the interval; the value itself where there is none."""
    unit: str = "x"
    """`x`: a ratio to the plain work of the same round."""
    target: float | None = None
    at_least: bool = False
    """The target is a lower limit."""
    rounds: int = 1
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target


@dataclass(frozen=True, slots=True)
class Skipped:
    """What was not measured, and why."""

    group: str
    name: str
    reason: str


Line = Figure | Skipped


def figure(
    group: str,
    name: str,
    values: Sequence[float],
    *,
    target: float | None = None,
    unit: str = "x",
    note: str = "",
    at_least: bool = False,
) -> Figure:
    """From one value a round: the median, and the order statistics that hold it with a chance of 90 % where enough."""
    ordered = sorted(values)
    out = 0
    while 1 - 2 * sum(math.comb(len(ordered), k) for k in range(out + 2)) / 2 ** len(ordered) >= COVERAGE:
        out += 1
    return Figure(
        group=group,
        name=name,
        value=statistics.median(ordered),
        low=ordered[out],
        high=ordered[-1 - out],
        unit=unit,
        target=target,
        at_least=at_least,
        rounds=len(ordered),
        note=note,
    )


def against(
    plain: Callable[[], object], others: dict[str, Callable[[], object]], rounds: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """Processor time of each against `plain`, timed right before and right after it, round by round."""
    ratios: dict[str, list[float]] = {name: [] for name in others}
    for round_ in range(-warm_up, rounds):
        for name, other in others.items():
            before = seconds(plain)
            own = seconds(other)
            base = (before + seconds(plain)) / 2
            if round_ >= 0:
                ratios[name].append(own / base)
    return ratios


def seconds(work: Callable[[], object]) -> float:
    """Processor time of one call, without a collection of garbage in it."""
    gc.collect()
    gc.disable()
    try:
        start = time.process_time()
        work()
        return time.process_time() - start
    finally:
        gc.enable()
