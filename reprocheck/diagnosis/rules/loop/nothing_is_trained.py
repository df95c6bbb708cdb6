"""The optimizers hold what gets no gradient."""

from __future__ import annotations

from reprocheck.diagnosis.rules.loop.loop_facts import match_fact, names_of
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC711",
    slug="nothing-is-trained",
    title="no parameter is ever trained",
    severity=ERROR,
    checks="No parameter of any optimizer that takes steps ever had a gradient.",
    why="The optimizer holds other parameters than the model that makes the loss: that of a copy, or of a "
    "model that was replaced or moved after the optimizer was made.",
    example="optimizer = torch.optim.SGD(model.parameters(), 0.1)\nmodel = make_model()  # another one",
    fix="make the optimizer from `model.parameters()` after the model is final",
    limits="An optimizer whose steps are skipped on purpose takes none, and is not judged.",
)


def match(case: Case) -> Match | None:
    return match_fact(case, PAGE.slug, lambda fact: names_of(fact))


RULE = Rule(page=PAGE, rank=711, match=match, always=True, is_cause=False)
