"""The current time is a feature."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find
from reprocheck.diagnosis.rules.clock import wall_clock_budget, wall_clock_schedule
from reprocheck.diagnosis.rules.clock.clock_lines import decides, readings
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import CLOCK, Support, support_of
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import Stage

PAGE = Page(
    code="RC563",
    slug="now-feature",
    title="the current time affects the results",
    severity=ERROR,
    checks="The runs agree once the clock is constant, and no seed was made from it.",
    why="Ages, recency and file choices that are computed from the current time differ from run to run.",
    example="age = (datetime.now() - signup).days",
    fix="use a fixed reference date, stored with the data",
    limits="Claimed only where the experiment with a constant clock shows it.",
)


def match(case: Case) -> Match | None:
    if wall_clock_budget.match(case) is not None or wall_clock_schedule.match(case) is not None:
        return None
    if decides(case):
        return None
    if support_of(case, *CLOCK) is not Support.SHOWN:
        return None
    if case.divergence is None or case.divergence.stage not in (Stage.INIT, Stage.DATA, Stage.STEP):
        return None
    return find(case, sources=CLOCK, entries=readings(case), latest=True)


RULE = Rule(page=PAGE, rank=406, match=match)
