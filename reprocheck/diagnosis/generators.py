"""The generators that a process shares, as a ledger shows them: which of them nobody seeded before drawing."""

from __future__ import annotations

from collections.abc import Iterable

from reprocheck.model import Seeding
from reprocheck.model.explanation import Tap

GLOBAL = ("python", "numpy", "torch", "cuda")
ENTROPY = "entropy"
"""Value of a seed that was taken from the system."""


def drawn_before_seeded(taps: Iterable[Tap], seeding: Seeding) -> dict[str, Tap]:
    """Global generators that were drawn from before anybody seeded them, with that draw, in order.

    `seeding`: what reprocheck had seeded. What a library draws while it is imported (for names and ids) counts only
    where there is no other draw.
    """
    first: dict[str, Tap] = {}
    on_import: dict[str, Tap] = {}
    for tap in sorted(taps, key=lambda tap: tap.order):
        if tap.kind not in ("seed", "draw", "unseeded") or tap.in_child or tap.value == ENTROPY:
            continue
        if tap.generator not in GLOBAL or tap.generator in seeded_by_reprocheck(seeding):
            continue
        own_business = tap.kind != "seed" and tap.in_import and tap.library
        (on_import if own_business else first).setdefault(tap.generator, tap)
    drawn = {generator: tap for generator, tap in first.items() if tap.kind != "seed"}
    return drawn or {generator: tap for generator, tap in on_import.items() if generator not in first}


def seeded_by_reprocheck(seeding: Seeding) -> frozenset[str]:
    """The generators that a run finds seeded."""
    if seeding is Seeding.ALL:
        return frozenset(GLOBAL)
    return frozenset({"torch", "cuda"} if seeding is Seeding.TORCH else ())
