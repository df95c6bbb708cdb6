"""The ledger of a run → how each generator was seeded and drawn from. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.commands.doctor.model import Generator, Use
from reprocheck.diagnosis.generators import ENTROPY, GLOBAL
from reprocheck.model.explanation import LedgerEntry
from reprocheck.model.kinds import SourceKind

MOST_OWN = 12
"""Generators of their own that are listed one by one."""
_STATE = "state"


def generators_of(entries: Sequence[LedgerEntry]) -> tuple[Generator, ...]:
    """The global ones, then those that the target or a library made without a seed."""
    ordered = sorted((entry for entry in entries if not entry.in_child), key=lambda entry: entry.order)
    return (*(_shared(name, ordered) for name in GLOBAL if _is_used(name, ordered)), *_own(ordered))


def _is_used(name: str, entries: Sequence[LedgerEntry]) -> bool:
    return any(entry.generator == name and entry.kind in (SourceKind.SEED, SourceKind.DRAW) for entry in entries)


def _shared(name: str, entries: Sequence[LedgerEntry]) -> Generator:
    seeds = [
        entry for entry in entries if entry.generator == name and entry.kind == SourceKind.SEED and not entry.library
    ]
    by_library = [
        entry for entry in entries if entry.generator == name and entry.kind == SourceKind.SEED and entry.library
    ]
    draws = [entry for entry in entries if entry.generator == name and entry.kind == SourceKind.DRAW]
    # What a library draws for names and ids while it is imported is its own business.
    own_draws = [entry for entry in draws if not (entry.in_import and entry.library)]
    drawn = own_draws[0] if own_draws else None
    return Generator(
        name=name,
        seeded=tuple(_use(entry) for entry in (*seeds, *by_library)),
        drawn=None if drawn is None else _use(drawn),
        seed_text=_seed_text(seeds, by_library, drawn),
    )


def _seed_text(seeds: Sequence[LedgerEntry], by_library: Sequence[LedgerEntry], drawn: LedgerEntry | None) -> str:
    every = [*seeds, *by_library]
    real = [entry for entry in every if entry.value not in (ENTROPY, _STATE)]
    if drawn is None:
        return "seeded, and not used" if real else "not used"
    if not real and any(entry.value == _STATE for entry in every):
        return "set to a state from elsewhere"
    if not real:
        return "seeded from the system's entropy" if every else "used, and never seeded by the target"
    first = min(entry.order for entry in real)
    if drawn.order < first:
        return "used before it is seeded"
    if len({entry.value for entry in real}) == 1 and sum(entry.count for entry in real) > 1:
        return "seeded with the same value again and again"
    return "seeded, then used"


def _own(entries: Sequence[LedgerEntry]) -> list[Generator]:
    made = [entry for entry in entries if entry.kind == SourceKind.UNSEEDED]
    found = [
        Generator(
            name=entry.name,
            seeded=(),
            drawn=_use(entry),
            seed_text="has PyTorch's default seed, the same in every run"
            if entry.value == "default seed"
            else "made without a seed",
        )
        for entry in made[:MOST_OWN]
    ]
    return found


def _use(entry: LedgerEntry) -> Use:
    return Use(call=entry.name, location=entry.location, value=entry.value, count=entry.count, library=entry.library)
