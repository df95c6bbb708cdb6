"""Times of steps and peaks of memory of one run, and ratios over rounds. Pure, but for the file of times."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise

from reprocheck.commands.cost.model import Ratio
from reprocheck.model import Evidence
from reprocheck.protocol import TIME_RECORD, TIMES_FILE
from reprocheck.protocol.reading import MOST_LINES, read_whole

LEAST_STEPS = 4
"""Steps behind the warm-up that a median is taken of; of a shorter run the whole time counts."""
MOST_WARM_UP = 10
LEVEL = 0.95
LEAST = 0.01
"""A smaller difference is none, however small the noise was."""


def step_seconds(evidence: Evidence) -> float | None:
    """Median time of a step, without the first ones and without what observation took; None for too few steps."""
    try:
        data = read_whole(evidence.spec.directory / TIMES_FILE, MOST_LINES)
    except OSError:
        return None
    # With a GPU, to fingerprint is to wait for it: that time belongs to the step.
    own_counts = not evidence.manifest.get("gpus")
    return median_step(data, own_counts)


def median_step(data: bytes, without_own: bool) -> float | None:
    """From the bytes of a file of times."""
    whole = len(data) // TIME_RECORD.size * TIME_RECORD.size
    marks = [end - own * without_own for end, own in TIME_RECORD.iter_unpack(data[:whole])]
    steps = [later - earlier for earlier, later in pairwise(marks)]
    steps = steps[warm_up(len(steps)) :]
    return statistics.median(steps) if len(steps) >= LEAST_STEPS else None


def warm_up(steps: int) -> int:
    """How many of so many steps are left out at the start."""
    return min(MOST_WARM_UP, math.ceil(steps / 5))


def peak_memory(evidence: Evidence, of_gpu: bool) -> int | None:
    """Peak of what the process held (RSS), or of what all GPUs gave it; bytes."""
    if of_gpu:
        peaks = [int(device["allocated_peak"]) for device in evidence.memory.get("cuda", ())]
        return sum(peaks) if peaks else None
    peak = evidence.memory.get("rss_peak")
    return None if peak is None else int(peak)


def interval_places(count: int) -> tuple[int, float]:
    """Of so many sorted values: how many to leave out at each end of an interval for the median, and its coverage.

    The order statistics hold the median with this chance whatever the distribution: nothing is assumed of the noise.
    """
    left_out, coverage = 0, 1 - 2 * 0.5**count
    while left_out + 1 < count / 2:
        tail = sum(math.comb(count, k) for k in range(left_out + 2)) / 2**count
        if 1 - 2 * tail < LEVEL:
            break
        left_out, coverage = left_out + 1, 1 - 2 * tail
    return left_out, max(0.0, coverage)


def noise_ratio(plain: Sequence[float], again: Sequence[float]) -> Ratio:
    """Two rows that are one. Which of a pair is called the first means nothing: the interval lies evenly about 1, and
    they never differ. What they show is how far apart equal runs come out here.
    """
    ratios = sorted(max(b / a, a / b) for a, b in zip(plain, again, strict=True))
    widest = ratios[len(ratios) - 1 - interval_places(len(ratios))[0]]
    middle = statistics.median(b / a for a, b in zip(plain, again, strict=True))
    return Ratio(middle=middle, low=min(1 / widest, middle), high=max(widest, middle), differs=False)


def ratio_to_plain(values: Sequence[float], plain: Sequence[float], noise: Ratio) -> Ratio:
    """Round by round, so that what slows down the machine for a while weighs on both."""
    ratios = sorted(value / base for value, base in zip(values, plain, strict=True))
    out = interval_places(len(ratios))[0]
    low, middle, high = ratios[out], statistics.median(ratios), ratios[len(ratios) - 1 - out]
    clear = (low > 1 or high < 1) and abs(middle - 1) >= LEAST
    return Ratio(middle=middle, low=low, high=high, differs=clear and not noise.low <= middle <= noise.high)


def base_of(plain: Sequence[float], again: Sequence[float]) -> list[float]:
    """Of the two plain runs of each round, the middle."""
    return [math.sqrt(a * b) for a, b in zip(plain, again, strict=True)]
