"""Metrics over seeds."""

from __future__ import annotations

import math
import sys

import pytest

from reprocheck.judge import _metric


def test_mean_std_and_spread() -> None:
    metric = _metric("loss", [[1.0, 1.5], [3.0, 3.0]])
    assert (metric.mean, metric.std, metric.within) == (2.0, math.sqrt(2), 0.5)


@pytest.mark.parametrize(
    "values", [[[math.inf], [-math.inf]], [[sys.float_info.max], [sys.float_info.max]], [[math.nan], [1.0]]]
)
def test_numbers_that_have_no_mean(values: list[list[float]]) -> None:
    metric = _metric("loss", values)
    assert metric.seeds == 2
    assert not math.isfinite(metric.mean)
