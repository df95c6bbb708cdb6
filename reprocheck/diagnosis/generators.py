"""The generators that a process shares, as a ledger shows them: which of them nobody seeded before drawing."""

from __future__ import annotations

from collections.abc import Iterable

from reprocheck.model import Seeding
from reprocheck.model.explanation import LedgerEntry
from reprocheck.model.kinds import SourceKind

GLOBAL = ("python", "numpy", "torch", "cuda")
ENTROPY = "entropy"
"""Value of a seed that was taken from the system."""


def drawn_before_seeded(entries: Iterable[LedgerEntry], seeding: Seeding) -> dict[str, LedgerEntry]:
    """Global generators that were drawn from before anybody seeded them, with that draw, in order.

    `seeding`: what reprocheck had seeded. What a library draws while it is imported (for names and ids) counts only
    where there is no other draw.
    """
    first: dict[str, LedgerEntry] = {}
    on_import: dict[str, LedgerEntry] = {}
    for entry in sorted(entries, key=lambda entry: entry.order):
        if (
            entry.kind not in (SourceKind.SEED, SourceKind.DRAW, SourceKind.UNSEEDED)
            or entry.in_child
            or entry.value == ENTROPY
        ):
            continue
        if entry.generator not in GLOBAL or entry.generator in seeded_by_reprocheck(seeding):
            continue
        own_business = entry.kind != SourceKind.SEED and entry.in_import and entry.library
        (on_import if own_business else first).setdefault(entry.generator, entry)
    drawn = {generator: entry for generator, entry in first.items() if entry.kind != SourceKind.SEED}
    return drawn or {generator: entry for generator, entry in on_import.items() if generator not in first}


def seeded_by_reprocheck(seeding: Seeding) -> frozenset[str]:
    """The generators that a run finds seeded."""
    if seeding is Seeding.ALL:
        return frozenset(GLOBAL)
    return frozenset({"torch", "cuda"} if seeding is Seeding.TORCH else ())
