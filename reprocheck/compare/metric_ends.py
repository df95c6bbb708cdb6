"""The metrics of two runs that differ, on the scale of what another seed does to them. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reprocheck.compare.seed_statistics import seed_deviation
from reprocheck.model import SeedAudit
from reprocheck.model.drift import MetricEnd


def metric_ends(seeds: Sequence[SeedAudit], seed: int) -> tuple[MetricEnd, ...]:
    """Of the two runs of a seed that differ first; without what is no number in one of them."""
    one = next((found for found in seeds if found.seed == seed), None)
    if one is None or one.divergence is None:
        return ()
    by_id = {run.id: run for run in one.runs}
    a, b = (by_id.get(run) for run in one.divergence.runs)
    if a is None or b is None:
        return ()
    found = []
    for name in a.metrics:
        x, y = a.metrics[name], b.metrics.get(name, math.nan)
        if math.isfinite(x) and math.isfinite(y):
            having = sum(any(name in run.metrics for run in other.runs) for other in seeds)
            std = seed_deviation(name, seeds) if having > 1 else None
            found.append(MetricEnd(name=name, a=x, b=y, std=std or None, seeds=having))
    return tuple(found)
