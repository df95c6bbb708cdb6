"""A step before any backward."""

from __future__ import annotations

from reprocheck.diagnosis.rules.loop.loop_facts import match_fact, names_of, times
from reprocheck.diagnosis.rules.model import WARNING, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC708",
    slug="step-without-gradients",
    title="an optimizer steps without any gradient",
    severity=WARNING,
    checks="An optimizer takes a step while none of its parameters has a gradient, and there was no backward "
    "pass since its last one.",
    why="Such a step does nothing, but counts for schedulers and for what is saved. Often the backward "
    "pass is missing.",
    example="optimizer.step()\nloss.backward()",
    fix="call `loss.backward()` before `optimizer.step()`",
    limits="Some call it once on purpose, to keep a scheduler from warning.",
)


def match(case: Case) -> Match | None:
    return match_fact(case, PAGE.slug, lambda fact: f"{names_of(fact)}; {times(fact)}")


RULE = Rule(page=PAGE, rank=708, match=match, always=True, is_cause=False)
