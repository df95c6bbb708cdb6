"""What the rules for clocks share: readings that did not go into a seed."""

from __future__ import annotations

from reprocheck.explain.model import Case, Tap
from reprocheck.rules.scene import differing_seeds, taps


def readings(case: Case) -> tuple[Tap, ...]:
    """Clocks that the user's code read before the difference; none where a seed differs, which explains more."""
    return () if differing_seeds(case) else taps(case, "clock")
