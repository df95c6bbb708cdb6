"""Ranks that all train on the same data."""

from __future__ import annotations

from reprocheck.diagnosis.rules.loop.loop_facts import match_fact
from reprocheck.diagnosis.rules.model import WARNING, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC716",
    slug="ranks-same-batches",
    title="all ranks train on the same batches",
    severity=WARNING,
    checks="Every rank trains a copy of one model (`DistributedDataParallel`), and all get the same batch at every "
    "step.",
    why="The averaged gradient is that of one rank: the others only repeat its work, and an epoch takes as many steps "
    "as with one process.",
    example="loader = DataLoader(data, batch_size=32, shuffle=True)  # on every rank, with one seed",
    fix="give the loader a `DistributedSampler`, or seed the data of each rank with `seed + rank`",
    limits="At least three different batches are needed: a program that repeats one batch may mean to.",
)


def match(case: Case) -> Match | None:
    return match_fact(case, PAGE.slug, lambda fact: f"at every step of {', '.join(fact.names)}")


RULE = Rule(page=PAGE, rank=716, match=match, always=True, is_cause=False)
