"""Never switched back to train mode."""

from __future__ import annotations

from reprocheck.diagnosis.rules.loop.loop_facts import match_fact, names_of, times
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC704",
    slug="step-after-evaluation",
    title="training continues in eval mode",
    severity=ERROR,
    checks="An optimizer takes a step for a model that was called in eval mode only since the last step, "
    "though it trained in train mode before, and has dropout or batch norm.",
    why="After an evaluation `model.train()` was not called: dropout and batch norm are off for the rest of "
    "the training.",
    example="model.train()\nfor epoch in range(10):\n    train_one_epoch()\n    model.eval()\n    evaluate()",
    fix="call `model.train()` at the start of every epoch",
    limits="A training that freezes all of its model with `eval()` half way on purpose is reported, too; one that "
    "freezes only its batch norms is not.",
)


def match(case: Case) -> Match | None:
    return match_fact(case, PAGE.slug, lambda fact: f"in eval mode: {names_of(fact)}; {times(fact)}")


RULE = Rule(page=PAGE, rank=704, match=match, always=True, is_cause=False)
