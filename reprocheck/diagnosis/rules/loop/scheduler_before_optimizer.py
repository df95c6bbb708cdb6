"""lr_scheduler.step() before optimizer.step()."""

from __future__ import annotations

from reprocheck.diagnosis.rules.loop.loop_facts import match_fact, names_of
from reprocheck.diagnosis.rules.model import WARNING, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC709",
    slug="scheduler-before-optimizer",
    title="a scheduler steps before the optimizer does",
    severity=WARNING,
    checks="`scheduler.step()` is called before the first step of its optimizer.",
    why="The first value of the schedule is skipped: training starts with the second learning rate.",
    example="for x, y in loader:\n    scheduler.step()\n    optimizer.step()",
    fix="call `optimizer.step()` first, then `scheduler.step()`",
    limits="A first step that mixed precision skips (GradScaler) looks the same.",
)


def match(case: Case) -> Match | None:
    return match_fact(case, PAGE.slug, lambda fact: names_of(fact))


RULE = Rule(page=PAGE, rank=709, match=match, always=True, is_cause=False)
