"""The clock decides whether something is done."""

from __future__ import annotations

from reprocheck.diagnosis.rules.clock.clock_lines import decided_by
from reprocheck.diagnosis.rules.difference import is_named_like_a_clock
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC565",
    slug="wall-clock-branch",
    title="the clock decides at which steps something is done",
    severity=ERROR,
    checks="A comparison with a clock decides whether a save, an evaluation, an update or the like is due, and the "
    "runs agree once the clock is constant, or nothing else is left.",
    why="At which step a time has passed depends on the load of the machine; what is then saved or updated is that "
    "step's.",
    example="if time.monotonic() - last >= 60:\n    ema.update(model)",
    fix="decide by step count: `if step % every == 0`",
    limits="The comparison is read from the source; clocks that a library compares are not seen.",
)


def match(case: Case) -> Match | None:
    if case.divergence is not None and is_named_like_a_clock(case.divergence):
        return None
    return decided_by(case, "clock-branch")


RULE = Rule(page=PAGE, rank=402, match=match)
