"""The ledger of a run → how each generator was seeded and drawn from. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.commands.doctor.model import Generator, Use
from reprocheck.diagnosis.generators import ENTROPY, GLOBAL
from reprocheck.model.explanation import Tap

MOST_OWN = 12
"""Generators of their own that are told one by one."""
_STATE = "state"


def generators_of(taps: Sequence[Tap]) -> tuple[Generator, ...]:
    """The global ones, then those that the target or a library made without a seed."""
    ordered = sorted((tap for tap in taps if not tap.in_child), key=lambda tap: tap.order)
    return (*(_shared(name, ordered) for name in GLOBAL if _is_used(name, ordered)), *_own(ordered))


def _is_used(name: str, taps: Sequence[Tap]) -> bool:
    return any(tap.generator == name and tap.kind in ("seed", "draw") for tap in taps)


def _shared(name: str, taps: Sequence[Tap]) -> Generator:
    seeds = [tap for tap in taps if tap.generator == name and tap.kind == "seed" and not tap.library]
    by_library = [tap for tap in taps if tap.generator == name and tap.kind == "seed" and tap.library]
    draws = [tap for tap in taps if tap.generator == name and tap.kind == "draw"]
    # What a library draws for names and ids while it is imported is its own business.
    own_draws = [tap for tap in draws if not (tap.in_import and tap.library)]
    drawn = own_draws[0] if own_draws else None
    return Generator(
        name=name,
        seeded=tuple(_use(tap) for tap in (*seeds, *by_library)),
        drawn=None if drawn is None else _use(drawn),
        told=_told(seeds, by_library, drawn),
    )


def _told(seeds: Sequence[Tap], by_library: Sequence[Tap], drawn: Tap | None) -> str:
    every = [*seeds, *by_library]
    real = [tap for tap in every if tap.value not in (ENTROPY, _STATE)]
    if drawn is None:
        return "seeded, and not used" if real else "not used"
    if not real and any(tap.value == _STATE for tap in every):
        return "set to a state from elsewhere"
    if not real:
        return "seeded from the system's entropy" if every else "used, and never seeded by the target"
    first = min(tap.order for tap in real)
    if drawn.order < first:
        return "used before it is seeded"
    if len({tap.value for tap in real}) == 1 and sum(tap.count for tap in real) > 1:
        return "seeded with the same value again and again"
    return "seeded, then used"


def _own(taps: Sequence[Tap]) -> list[Generator]:
    made = [tap for tap in taps if tap.kind == "unseeded"]
    found = [
        Generator(
            name=tap.name,
            seeded=(),
            drawn=_use(tap),
            told="has PyTorch's default seed, the same in every run"
            if tap.value == "default seed"
            else "made without a seed",
        )
        for tap in made[:MOST_OWN]
    ]
    return found


def _use(tap: Tap) -> Use:
    return Use(call=tap.name, location=tap.location, value=tap.value, count=tap.count, library=tap.library)
