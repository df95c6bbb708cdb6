"""backward adds to gradients of earlier steps."""

from __future__ import annotations

from reprocheck.diagnosis.rules.loop.loop_facts import match_fact, names_of, times
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC706",
    slug="gradients-not-zeroed",
    title="gradients of earlier steps are never zeroed",
    severity=ERROR,
    checks="Between two steps of an optimizer there is a backward pass, and at none of them were its "
    "gradients new, zeroed or None.",
    why="backward adds to `.grad`: without `zero_grad()` each step takes the sum of all gradients so far.",
    example="for x, y in loader:\n    loss(model(x), y).backward()\n    optimizer.step()",
    fix="call `optimizer.zero_grad()` after each step (or before each backward pass that begins a new one)",
    limits="Accumulation over several backward passes is passed by: there they are zeroed once between two "
    "steps. Three gradients of an optimizer are followed.",
)


def match(case: Case) -> Match | None:
    return match_fact(case, PAGE.slug, lambda fact: f"{names_of(fact)}; {times(fact)}")


RULE = Rule(page=PAGE, rank=706, match=match, always=True, is_cause=False)
