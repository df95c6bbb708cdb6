"""Trained in eval mode from the start."""

from __future__ import annotations

from reprocheck.diagnosis.rules.loop.loop_facts import match_fact, names_of, times
from reprocheck.diagnosis.rules.model import WARNING, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC705",
    slug="step-in-eval-mode",
    title="a model is trained in eval mode",
    severity=WARNING,
    checks="An optimizer takes steps for a model that is in eval mode from the beginning and has dropout or "
    "batch norm.",
    why="Models that a library loads come in eval mode: their dropout and batch norm stay off.",
    example="model = AutoModel.from_config(config).eval()\noptimizer.step()",
    fix="call `model.train()`, or leave it if a frozen dropout and batch norm are meant",
    limits="Some fine-tune like this on purpose.",
)


def match(case: Case) -> Match | None:
    return match_fact(case, PAGE.slug, lambda fact: f"in eval mode: {names_of(fact)}; {times(fact)}")


RULE = Rule(page=PAGE, rank=705, match=match, always=True, is_cause=False)
