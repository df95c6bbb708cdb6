"""The generators that a process shares, as its ledger shows them: who drew from them, and who seeded them when."""

from __future__ import annotations

from reprocheck.diagnosis.generators import ENTROPY, GLOBAL, drawn_before_seeded
from reprocheck.diagnosis.rules.scene import taps
from reprocheck.model import Seeding
from reprocheck.model.explanation import Case, Remedy, Tap

PUT_BACK = "state"
"""Value of a seed that is a state put back."""
SEED_EVERYTHING = Remedy(
    text="--seeding all",
    settings=(("seeding", Seeding.ALL),),
    hides="reprocheck seeds in the place of the script: run alone, the script still differs",
    cost=8,
)


def left_to_chance(case: Case) -> dict[str, Tap]:
    """Global generators that nobody had seeded when they were first drawn from, with that draw.

    Where reprocheck seeds, that is a question only for runs in which it did not.
    """
    attribution = case.attribution
    by_experiment = attribution is not None and attribution.kind == "seeding"
    guilty = set(attribution.factors) & set(GLOBAL) if attribution is not None and by_experiment else set()
    chance = drawn_before_seeded(taps(case, "seed", "draw", "unseeded"), case.request.settings.seeding)
    return {generator: tap for generator, tap in chance.items() if not guilty or generator in guilty}


def seeds_of(case: Case, generator: str) -> tuple[Tap, ...]:
    """Where the target itself seeds a global generator with a value."""
    every = (*case.taps, *case.other_taps)
    return tuple(
        tap
        for tap in every
        if tap.kind == "seed"
        and tap.generator == generator
        and tap.value != ENTROPY
        and not tap.in_child
        and not (tap.value == PUT_BACK and tap.library)  # a compiler leaves no trace in a generator
    )
