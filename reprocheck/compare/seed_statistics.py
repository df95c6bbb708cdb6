"""Metrics over seeds: what the seed does to a number, apart from what remains when the seed is fixed. Pure.

Every seed counts once, by the mean of its runs, for mean, deviation, extremes and interval. The variance is taken apart
as in a one-way analysis with the seed as a random effect: of repeats of one seed (within), and of what is left between
seeds once that is taken off (from the seed).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from reprocheck.model import MetricSummary, SeedAudit

LEVEL = 0.95
FEW_SEEDS = 5
"""With fewer the interval is so wide that it says little."""


def summarize_metrics(seeds: Sequence[SeedAudit]) -> tuple[MetricSummary, ...]:
    """Each metric over all seeds and their runs, in the order in which they were met."""
    names = dict.fromkeys(name for seed in seeds for run in seed.runs for name in run.metrics)
    runs = sum(len(seed.runs) for seed in seeds)
    return tuple(summarize_metric(name, _values(name, seeds), len(seeds), runs) for name in names)


def seed_deviation(name: str, seeds: Sequence[SeedAudit]) -> float | None:
    """Standard deviation of a metric from seed to seed, in its own unit: the yardstick for any other change of it.

    None where there is none: fewer than two seeds have it, or it is not finite in one of them. 0.0 where the seed makes
    no difference to it.
    """
    found = _values(name, seeds)
    return summarize_metric(name, found, len(seeds), 0).std if found else None


def _values(name: str, seeds: Sequence[SeedAudit]) -> dict[int, list[float]]:
    """Seed → the metric in each of its runs that has it."""
    found: dict[int, list[float]] = {}
    for seed in seeds:
        values = [run.metrics[name] for run in seed.runs if name in run.metrics]
        if values:
            found[seed.seed] = values
    return found


def summarize_metric(name: str, found: Mapping[int, Sequence[float]], seeds: int, runs: int) -> MetricSummary:
    """One metric. `found`: seed → its values, none of them empty; `seeds`, `runs`: how many there were altogether."""
    notes = list(_missing(found, seeds, runs))
    per_seed = tuple((seed, tuple(values)) for seed, values in found.items())
    values = [value for _, of_seed in per_seed for value in of_seed]
    off = [seed for seed, of_seed in per_seed if not all(map(math.isfinite, of_seed))]
    summary = MetricSummary(
        name=name,
        seeds=len(per_seed),
        mean=math.nan,
        std=None,
        within=math.nan,
        runs=len(values),
        values=per_seed,
    )
    if off:
        text = " and ".join(dict.fromkeys(str(value) for value in values if not math.isfinite(value)))
        notes.append(f"{text} in {_seeds(off)}: no statistics")
        with suppress(ValueError, OverflowError):  # infinities of both signs have no mean
            summary = replace(summary, mean=statistics.fmean(statistics.fmean(of_seed) for _, of_seed in per_seed))
    else:
        try:
            summary = replace(summary, **_finite([of_seed for _, of_seed in per_seed], notes))
        except OverflowError:  # beyond the greatest float, or its square is
            notes.append("too great for statistics")
    return replace(summary, notes=tuple(notes))


def _finite(per_seed: Sequence[Sequence[float]], notes: list[str]) -> dict[str, Any]:
    """The fields that only finite numbers have. Raises OverflowError."""
    means = [_mean(of_seed) for of_seed in per_seed]
    mean = _mean(means)
    found: dict[str, Any] = {
        "mean": mean,
        "within": max(max(of_seed) - min(of_seed) for of_seed in per_seed),
        "minimum": min(means),
        "maximum": max(means),
        "within_std": within_deviation(per_seed),
    }
    ends = (mean, mean)
    if len(means) > 1:
        std, seed_std = statistics.stdev(means), between_deviation(per_seed)
        half = t_quantile(len(means) - 1) * std / math.sqrt(len(means))
        ends = (mean - half, mean + half)
        found |= {"std": std, "seed_std": seed_std, "interval": ends}
        notes += _remarks(len(means), std, seed_std, found["within_std"])
    if not all(map(math.isfinite, (*ends, found["within"]))):
        raise OverflowError
    return found


def _remarks(seeds: int, std: float, seed_std: float | None, within_std: float | None) -> Iterable[str]:
    if std == 0:
        yield "the same in all seeds"
        return
    if seed_std == 0:
        yield "seeds scatter no more than runs of one seed do"
    if within_std is None:
        yield "one run a seed: the effect of the seed cannot be separated from what remains when it is fixed"
    if seeds < FEW_SEEDS:
        yield f"{seeds} seeds are few: the interval is wide, and holds only if seeds scatter normally"


def _missing(found: Mapping[int, Sequence[float]], seeds: int, runs: int) -> Iterable[str]:
    """What lacks the metric."""
    have = sum(map(len, found.values()))
    if len(found) < seeds:
        yield f"in {len(found)} of {seeds} seeds only"
    elif have < runs:
        yield f"in {have} of {runs} runs only"


def _seeds(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:5])) + (f" and {len(numbers) - 5} more" if len(numbers) > 5 else "")
    return f"seed{'s' if len(numbers) > 1 else ''} {shown}"


def _mean(values: Sequence[float]) -> float:
    """Exactly the value itself where all are equal."""
    return values[0] if min(values) == max(values) else statistics.fmean(values)


def within_deviation(per_seed: Sequence[Sequence[float]]) -> float | None:
    """Standard deviation among runs of one seed, pooled over seeds; None where no seed has two runs."""
    freedom = sum(len(values) - 1 for values in per_seed)
    if not freedom:
        return None
    return math.sqrt(sum(_squares(values) for values in per_seed) / freedom)


def between_deviation(per_seed: Sequence[Sequence[float]]) -> float | None:
    """Standard deviation that comes from the seed: between seeds, without the part that repeats of a seed show.

    None with fewer than two seeds. Without repeats nothing can be taken off. 0.0 where the seeds scatter no more than
    the repeats do.
    """
    if len(per_seed) < 2:
        return None
    within = within_deviation(per_seed)
    if not within:
        return statistics.stdev(_mean(values) for values in per_seed)
    runs = sum(map(len, per_seed))
    grand = math.fsum(value for values in per_seed for value in values) / runs
    between = math.fsum(len(values) * (_mean(values) - grand) ** 2 for values in per_seed) / (len(per_seed) - 1)
    # Runs of an average seed; where all have as many, that number.
    size = (runs - sum(len(values) ** 2 for values in per_seed) / runs) / (len(per_seed) - 1)
    return math.sqrt(max(0.0, (between - within**2) / size))


def _squares(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.fsum((value - mean) ** 2 for value in values)


def t_quantile(freedom: int, level: float = LEVEL) -> float:
    """Student's t of so many degrees of freedom (1 or more): the value that |t| stays below with chance `level`."""
    low, high = 0.0, 1.0
    while t_coverage(high, freedom) < level:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if t_coverage(middle, freedom) < level else (low, middle)
    return (low + high) / 2


def t_coverage(t: float, freedom: int) -> float:
    """The chance that |T| <= t for whole degrees of freedom: a finite sum (Abramowitz and Stegun, 26.7.3 f)."""
    angle = math.atan2(t, math.sqrt(freedom))
    cosine, odd = math.cos(angle), freedom % 2
    term = cosine if odd else 1.0
    total = 0.0 if freedom == 1 else term
    for k in range(2 + odd, freedom - 1, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total
