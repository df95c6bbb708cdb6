"""A step without a backward since the last one."""

from __future__ import annotations

from reprocheck.diagnosis.rules.loop.loop_facts import match_fact, names_of, times
from reprocheck.diagnosis.rules.model import WARNING, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC707",
    slug="step-on-old-gradients",
    title="an optimizer steps twice on the same gradients",
    severity=WARNING,
    checks="An optimizer takes a step, and nothing has changed its gradients since its last one.",
    why="The same gradient is applied again; with momentum it even grows. Often a step was left in twice, "
    "or a backward pass skipped.",
    example="loss.backward()\noptimizer.step()\noptimizer.step()",
    fix="take one step for each backward pass",
    limits="With a closure the gradients are made within the step: not judged.",
)


def match(case: Case) -> Match | None:
    return match_fact(case, PAGE.slug, lambda fact: f"{names_of(fact)}; {times(fact)}")


RULE = Rule(page=PAGE, rank=707, match=match, always=True, is_cause=False)
