"""The price of a fix, and a table of times: noise is no price."""

from __future__ import annotations

import pytest

from reprocheck.diagnosis.remedy import price


@pytest.mark.parametrize(
    ("tried", "plain"),
    [
        ((0.5, 0.52), (1.0, 0.6)),  # the plain runs are as far apart
        ((1.1, 1.12), (1.0, 1.01)),  # less than what a machine drifts
        ((0.5,), (1.0, 1.01)),  # one run shows no spread
        ((1.0, 2.0), (1.0, 1.0)),
        ((0.0, 0.0), (1.0, 1.0)),
    ],
)
def test_noise_has_no_price(tried: tuple[float, ...], plain: tuple[float, ...]) -> None:
    assert price(tried, plain) is None


@pytest.mark.parametrize(("tried", "ratio"), [((2.0, 2.1), 2.05), ((0.5, 0.5, 0.51), 0.5)])
def test_what_is_far_beyond_the_spread_has_one(tried: tuple[float, ...], ratio: float) -> None:
    assert price(tried, (1.0, 1.0)) == pytest.approx(ratio)
