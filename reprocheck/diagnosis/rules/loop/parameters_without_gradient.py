"""Parameters that never got a gradient."""

from __future__ import annotations

from reprocheck.diagnosis.rules.loop.loop_facts import match_fact, names_of
from reprocheck.diagnosis.rules.model import WARNING, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC710",
    slug="parameters-without-gradient",
    title="the loss does not depend on some parameters",
    severity=WARNING,
    checks="Trainable parameters that an optimizer holds never had a gradient, while others had.",
    why="They keep their initial values: a layer that is made and not called, an output that is cut off by "
    "`detach`, a head that is not in the loss.",
    example="self.unused = nn.Linear(8, 8)  # never called in forward",
    fix="use them, take them out, or freeze them (`requires_grad_(False)`)",
    limits="With few steps (--max-steps) rarely used parameters, such as the experts of a mixture, are reported, too.",
)


def match(case: Case) -> Match | None:
    return match_fact(case, PAGE.slug, lambda fact: names_of(fact))


RULE = Rule(page=PAGE, rank=710, match=match, always=True, is_cause=False)
