"""Evaluation with neither eval() nor no_grad."""

from __future__ import annotations

from reprocheck.diagnosis.rules.loop.loop_facts import match_fact, names_of
from reprocheck.diagnosis.rules.model import WARNING, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC702",
    slug="evaluation-in-train-mode",
    title="the last evaluation runs in train mode, with gradients",
    severity=WARNING,
    checks="After the last backward pass the model is called with gradients and in train mode, and has "
    "dropout or batch norm.",
    why="Dropout drops and batch norm moves its statistics, so the final score is not that of the trained model.",
    example="loss.backward()\noptimizer.step()\nprint(accuracy(model(x_test), y_test))",
    fix="call `model.eval()` and evaluate under `torch.no_grad()`",
    limits="Seen at the end of a run only: in the middle it looks like a part of the next step.",
)


def match(case: Case) -> Match | None:
    return match_fact(case, PAGE.slug, lambda fact: f"in train mode: {names_of(fact)}")


RULE = Rule(page=PAGE, rank=702, match=match, always=True, is_cause=False)
