"""The seed comes after the first draw."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.seeds import seed_drawn
from reprocheck.diagnosis.rules.seeds.global_generators import SEED_EVERYTHING, left_to_chance, seeds_of
from reprocheck.model.explanation import Case
from reprocheck.model.places import line_text

PAGE = Page(
    code="RC631",
    slug="seed-after-model",
    title="the generator is used before it is seeded",
    severity=ERROR,
    checks="A global generator is used, mostly to initialize a model, and seeded by the target only afterwards.",
    why="The initial weights come from the system's entropy; all later numbers repeat and make the fault hard to see.",
    example="model = nn.Linear(4, 8)\ntorch.manual_seed(42)  # too late for the weights",
    fix="seed before the model is built, or build the model in a function that is called after seeding",
    limits="Seen only where reprocheck does not seed that generator itself (`--seeding none` or `torch`), or in "
    "its own experiment without seeding.",
)


def match(case: Case) -> Match | None:
    if seed_drawn.match(case) is not None:
        return None
    late = [
        (entry, seed)
        for name, entry in left_to_chance(case).items()
        for seed in seeds_of(case, name)[:1]
        if seed.order > entry.order
    ]
    if not late:
        return None
    draw, seed = min(late, key=lambda pair: pair[0].order)
    where = f", at {line_text(seed.location.path, seed.location.line)}" if seed.location is not None else ""
    evidence = (f"`{seed.name}` comes after this draw{where}",)
    return find(case, sources=("seeding",), entries=(draw,), evidence=evidence, remedies=(SEED_EVERYTHING,))


RULE = Rule(page=PAGE, rank=215, match=match, always=True)
