"""How often something happens, from how often it was seen."""

from __future__ import annotations

import math

Z_95 = 1.959963984540054
"""Of the normal distribution: 95 % lie within so many standard deviations."""


def wilson(found: int, of: int) -> tuple[float, float]:
    """Between which rates the true one lies with a confidence of 95 %, by Wilson's score; of nothing: anywhere."""
    if of < 1:
        return 0.0, 1.0
    rate, square = found / of, Z_95**2
    middle = (rate + square / (2 * of)) / (1 + square / of)
    half = Z_95 / (1 + square / of) * math.sqrt(rate * (1 - rate) / of + square / (4 * of**2))
    return (0.0 if not found else max(0.0, middle - half)), (1.0 if found == of else min(1.0, middle + half))
