"""Parameters that no optimizer holds."""

from __future__ import annotations

from reprocheck.diagnosis.rules.loop.loop_facts import match_fact, names_of
from reprocheck.diagnosis.rules.model import WARNING, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC712",
    slug="gradient-without-optimizer",
    title="parameters get gradients that no optimizer takes",
    severity=WARNING,
    checks="Trainable parameters of a model have gradients, and no optimizer holds them.",
    why="They stay as they are, though they cost a backward pass: a head that was added after the "
    "optimizer was made, or a part that was meant to be frozen.",
    example="optimizer = torch.optim.SGD(model.parameters(), 0.1)\nmodel.head = nn.Linear(64, 10)",
    fix="make the optimizer last, or `add_param_group`; freeze what should not train",
    limits="Optimizers that are no torch.optim.Optimizer are not known.",
)


def match(case: Case) -> Match | None:
    return match_fact(case, PAGE.slug, lambda fact: names_of(fact))


RULE = Rule(page=PAGE, rank=712, match=match, always=True, is_cause=False)
