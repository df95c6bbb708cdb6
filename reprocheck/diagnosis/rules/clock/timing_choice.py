"""What took less time is chosen."""

from __future__ import annotations

from reprocheck.diagnosis.rules.clock.clock_lines import decided_by
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC566",
    slug="timing-choice",
    title="a choice is made by how long something took",
    severity=ERROR,
    checks="Measured times are compared with each other to choose between ways to compute, and the runs agree once the "
    "clock is constant, or nothing else is left.",
    why="Which of two ways is faster changes from run to run, and two ways to compute the same round differently.",
    example="kernel = a if time_of(a) < time_of(b) else b",
    fix="choose once, write the choice into the configuration, and use it in every run",
    limits="The comparison is read from the source; what a library tunes for itself is not seen.",
)


def match(case: Case) -> Match | None:
    return decided_by(case, "clock-choice")


RULE = Rule(page=PAGE, rank=403, match=match)
