"""Training stops by the clock."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find, hits, on_lines
from reprocheck.diagnosis.rules.clock.clock_lines import readings
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import CLOCK, Support, support_of
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC561",
    slug="wall-clock-budget",
    title="the clock decides how many steps are taken",
    severity=ERROR,
    checks="A loop or an early exit compares a clock, and the runs take different numbers of steps or agree once "
    "the clock is constant.",
    why="How far a run gets in a given time depends on the load of the machine.",
    example="while time.monotonic() < deadline:\n    train_step()",
    fix="budget in steps; keep the clock as a safety stop that fails the run",
    limits="A clock that a library reads for its own budget is not seen.",
)


def match(case: Case) -> Match | None:
    marks = hits(case, "clock-loop")
    counts = case.divergence is not None and case.divergence.kind == "steps"
    if support_of(case, *CLOCK) is not Support.SHOWN and not counts:
        return None
    evidence = ("one run takes steps that the other does not",) if counts else ()
    return find(case, sources=CLOCK, entries=on_lines(readings(case), marks), hits=marks, evidence=evidence)


RULE = Rule(page=PAGE, rank=401, match=match)
