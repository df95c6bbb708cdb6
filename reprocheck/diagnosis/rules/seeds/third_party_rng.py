"""A library that draws without having been given a seed."""

from __future__ import annotations

from dataclasses import replace

from reprocheck.diagnosis.rules.candidate_lines import entries, find, on_lines, with_hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.seeds.global_generators import (
    SEED_EVERYTHING,
    calls_that_seed,
    left_to_chance,
    seeds_of,
)
from reprocheck.diagnosis.rules.support import Support, support_of
from reprocheck.model.explanation import Case, LedgerEntry
from reprocheck.model.kinds import SourceKind

_OWN = ("", "standard library", "numpy", "random", "torch")

PAGE = Page(
    code="RC510",
    slug="third-party-rng",
    title="a library draws random numbers without a seed",
    severity=ERROR,
    checks="A function of scikit-learn, scipy, Optuna, numba, ... is called without `random_state` or `seed`.",
    why="It draws from a generator of its own, or from numpy's global one: seeding torch alone does not reach it.",
    example="x_train, x_test = train_test_split(x, test_size=0.5)  # random_state is missing",
    fix="pass `random_state=seed` (or `seed=`) to the call",
    limits="Compiled generators (numba, cupy) cannot be followed; only calls through Python are.",
)


def match(case: Case) -> Match | None:
    foreign = tuple(
        entry for entry in entries(case, SourceKind.UNSEEDED) if _is_foreign(entry) or entry.library not in _OWN
    )
    foreign = tuple(entry for entry in foreign if not _is_seeded(entry, case))
    chance = left_to_chance(case)
    if support_of(case, "seeding") is Support.SHOWN or chance:
        foreign = tuple(
            entry for entry in foreign if on_lines((entry,), [e for e in chance.values() if e.library == entry.library])
        )
        # Who draws from PyTorch's generator takes no `random_state`: what is missing is `torch.manual_seed`.
        foreign += tuple(e for e in chance.values() if e.library not in _OWN and e.generator not in ("torch", "cuda"))
    remedies = (SEED_EVERYTHING,) if chance else ()
    marks = with_hits(case, foreign, "random-state-none")
    found = find(case, sources=("unseeded", "seeding"), entries=foreign, hits=marks, remedies=remedies)
    if found is None or found.help:
        return found
    at_work = [entry for entry in foreign if entry.location == found.location]
    if not at_work or any(entry.kind != SourceKind.DRAW for entry in at_work):
        return found
    calls = calls_that_seed(entry.generator for entry in at_work)
    return replace(found, help=f"call {calls} at the start: the library draws from the generator that all share")


def _is_seeded(entry: LedgerEntry, case: Case) -> bool:
    """`random_state=None` draws from numpy's global generator: the target may have seeded that before."""
    return entry.generator == "numpy" and any(seed.order < entry.order for seed in seeds_of(case, "numpy"))


def _is_foreign(entry: LedgerEntry) -> bool:
    """A source of a library, by its name: `sklearn random_state=None`."""
    return entry.name.split(".")[0].split(" ")[0] not in ("numpy", "random", "torch")


RULE = Rule(page=PAGE, rank=208, match=match, alone=True)
