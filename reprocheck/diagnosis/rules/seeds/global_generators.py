"""The generators that a process shares, as its ledger shows them: who drew from them, and who seeded them when."""

from __future__ import annotations

from collections.abc import Iterable

from reprocheck.diagnosis.generators import ENTROPY, GLOBAL, drawn_before_seeded
from reprocheck.diagnosis.rules.candidate_lines import entries
from reprocheck.model import Seeding
from reprocheck.model.explanation import Case, LedgerEntry, Remedy
from reprocheck.model.kinds import AttributionKind, SourceKind
from reprocheck.model.places import short_place

PUT_BACK = "state"
"""Value of a seed that is a state put back."""
SEED_EVERYTHING = Remedy(
    text="--seeding all",
    settings=(("seeding", Seeding.ALL),),
    hides="reprocheck seeds in the place of the script: run alone, the script still differs",
    cost=8,
)


_CALLS = (
    ("python", "random.seed(seed)"),
    ("numpy", "np.random.seed(seed)"),
    ("torch", "torch.manual_seed(seed)"),
    ("cuda", "torch.manual_seed(seed)"),
)


def calls_that_seed(generators: Iterable[str]) -> str:
    """The calls that seed these generators, as a sentence names them; none given: all."""
    wanted = set(generators) or set(GLOBAL)
    *rest, last = dict.fromkeys(f"`{call}`" for name, call in _CALLS if name in wanted)
    return f"{', '.join(rest)} and {last}" if rest else last


def left_to_chance(case: Case) -> dict[str, LedgerEntry]:
    """Global generators that nobody had seeded when they were first drawn from, with that draw.

    Where reprocheck seeds, that is a question only for runs in which it did not.
    """
    attribution = case.attribution
    by_experiment = attribution is not None and attribution.kind == AttributionKind.SEEDING
    responsible = set(attribution.factors) & set(GLOBAL) if attribution is not None and by_experiment else set()
    chance = drawn_before_seeded(
        entries(case, SourceKind.SEED, SourceKind.DRAW, SourceKind.UNSEEDED), case.request.settings.seeding
    )
    return {generator: entry for generator, entry in chance.items() if not responsible or generator in responsible}


def also_unseeded(case: Case, shown: LedgerEntry) -> tuple[str, ...]:
    """The other generators that nobody had seeded, with their first draws."""
    others = sorted(left_to_chance(case).values(), key=lambda entry: entry.order)
    return tuple(
        f"{entry.generator}'s global generator is unseeded, too, and first drawn from{_at(entry)}"
        for entry in others
        if entry.generator != shown.generator and not seeds_of(case, entry.generator)
    )


def _at(entry: LedgerEntry) -> str:
    if entry.location is None:
        return " by a library"
    return f" at {short_place(entry.location.path, entry.location.line)}"


def seeds_of(case: Case, generator: str) -> tuple[LedgerEntry, ...]:
    """Where the target itself seeds a global generator with a value."""
    every = (*case.entries, *case.other_entries)
    return tuple(
        entry
        for entry in every
        if entry.kind == SourceKind.SEED
        and entry.generator == generator
        and entry.value != ENTROPY
        and not entry.in_child
        and not (entry.value == PUT_BACK and entry.library)  # a compiler leaves no trace in a generator
    )
