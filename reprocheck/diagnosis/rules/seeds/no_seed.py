"""A script without any seed."""

from __future__ import annotations

from dataclasses import replace

from reprocheck.diagnosis.generators import GLOBAL
from reprocheck.diagnosis.rules.candidate_lines import find, hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.seeds import seed_drawn
from reprocheck.diagnosis.rules.seeds.global_generators import (
    SEED_EVERYTHING,
    also_unseeded,
    calls_that_seed,
    left_to_chance,
    seeds_of,
)
from reprocheck.model.explanation import Case
from reprocheck.model.places import short_place

PAGE = Page(
    code="RC501",
    slug="no-seed",
    title="no random number generator is seeded",
    severity=ERROR,
    checks="A global generator (python, numpy or torch) is used, and the target never seeds any of them.",
    why="Every process starts these generators from the system's entropy: no run can be repeated.",
    example="model = nn.Linear(6, 12)  # drawn from a generator that nobody seeded\ntrain(model)",
    fix="call `random.seed(seed)`, `np.random.seed(seed)` and `torch.manual_seed(seed)` before building the model",
    limits="Seen only where reprocheck does not seed itself: with `--seeding none`, or in its own experiment with it.",
)


def match(case: Case) -> Match | None:
    if seed_drawn.match(case) is not None:
        return None
    if any(seeds_of(case, generator) for generator in GLOBAL):
        return None
    chance = sorted(left_to_chance(case).values(), key=lambda entry: entry.order)
    others = also_unseeded(case, chance[0]) if chance else ()
    taken = [hit.location for hit in hits(case, "seed-parameter-unused")]
    others += tuple(f"a seed is accepted at {short_place(at.path, at.line)}, and never used" for at in taken[:1])
    found = find(case, sources=("seeding",), entries=chance[:1], evidence=others, remedies=(SEED_EVERYTHING,))
    if found is None or found.help:
        return found
    calls = calls_that_seed(entry.generator for entry in chance)
    return replace(found, help=f"call {calls} at the start, before anything is drawn")


RULE = Rule(page=PAGE, rank=217, match=match, always=True)
