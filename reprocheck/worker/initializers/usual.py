"""Distributions with figures that people write: 0.02, 0.1, -1 to 1. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from reprocheck.model.initializers import Family
from reprocheck.worker.initializers.draw import Sample
from reprocheck.worker.initializers.schemes import Scheme


def usual(seen: Sample) -> list[Scheme]:
    """Distributions with figures that people write."""
    spread = math.sqrt(seen.square)
    within = 1 + 5 / math.sqrt(2 * seen.count)
    found = [
        Scheme(f"normal_(std={std:g})" if std != 1 else "normal_()", Family.NORMAL, std)
        for std in round_figures(spread / within, spread * within)
    ]
    top = min(4.0, 1e-5 ** (-1 / seen.count))
    for bound in round_figures(seen.reach / (1 + seen.slack), seen.reach * top):
        found.append(Scheme(f"uniform_(-{bound:g}, {bound:g})", Family.UNIFORM, bound))
        if seen.low >= 0:
            found.append(
                Scheme(
                    f"uniform_(0, {bound:g})" if bound != 1 else "uniform_()", Family.UNIFORM, bound / 2, 1, bound / 2
                )
            )
    return [*found, *_cuts(seen)]


def _cuts(seen: Sample) -> list[Scheme]:
    """trunc_normal_ with its own ends (-2 and 2), and with ends at two or three standard deviations."""
    found = []
    spread = math.sqrt(seen.square)
    within = 1 + 5 / math.sqrt(2 * seen.count)
    for std in round_figures(spread / within, 1.2 * spread * within):
        cuts = [(2.0, ""), (2 * std, "cut at 2 std"), (3 * std, "cut at 3 std")]
        for cut, text in cuts:
            if seen.reach > cut * (1 + seen.slack) or (text and cut == 2.0):
                continue
            parts = [f"std={std:g}"] if std != 1 else []
            parts += [text] if text else []
            prior = 1.0 if std == 1 or text == "cut at 2 std" else 0.5
            family = Family.TRUNCATED if cut < 6 * std else Family.NORMAL
            found.append(Scheme(f"trunc_normal_({', '.join(parts)})", family, std, prior, 0, cut))
    return found


def round_figures(low: float, high: float, digits: Sequence[int] = (10, 20, 50)) -> Iterator[float]:
    """Figures that people write (0.01, 0.02, 0.05, 0.1, ...) within an interval of positive numbers."""
    if not 0 < low <= high < math.inf:
        return
    for power in range(math.floor(math.log10(low)) - 2, math.ceil(math.log10(high)) + 1):
        for digit in digits:
            figure = digit * 10.0**power
            if low <= figure <= high:
                yield figure
