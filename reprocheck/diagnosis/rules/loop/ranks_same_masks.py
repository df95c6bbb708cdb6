"""Ranks that all drop out the same units."""

from __future__ import annotations

from reprocheck.diagnosis.rules.loop.loop_facts import match_fact
from reprocheck.diagnosis.rules.model import NOTE, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC719",
    slug="ranks-same-masks",
    title="all ranks draw the same dropout masks",
    severity=NOTE,
    checks="Every rank trains a copy of one model with dropout on batches of its own, and PyTorch's generator has the "
    "same state on all of them at every step, in each of which something was drawn. A line of the target's own code "
    "gave all of them that seed; or its lines gave each rank another seed, and a library then gave all of them one.",
    why="With one seed on all ranks unit 7 is dropped on all of them at once: masks are less various "
    "than the size of the batch suggests, and the averaged gradient is noisier.",
    example="torch.manual_seed(42)  # on every rank, and never again",
    fix="seed with `seed + rank` once the model is made (accelerate: `set_seed(42, device_specific=True)`)",
    limits="Seen at three steps or more, where `torch.manual_seed` is called in the rank itself. A library that seeds "
    "all ranks alike does so by design, and is not reported: `accelerate.utils.set_seed(42)`, `transformers.set_seed`, "
    "`lightning.seed_everything`. Tensor parallel ranks must draw equal masks for what they do not share: such models "
    "are left out.",
)


def match(case: Case) -> Match | None:
    return match_fact(case, PAGE.slug, lambda fact: f"`{fact.names[0]}` of {', '.join(fact.names[1:])}")


RULE = Rule(page=PAGE, rank=719, match=match, always=True, is_cause=False)
