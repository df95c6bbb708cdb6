"""Training stops by the clock."""

from __future__ import annotations

from dataclasses import replace

from reprocheck.diagnosis.rules.candidate_lines import find, hits, on_lines
from reprocheck.diagnosis.rules.clock.clock_lines import readings
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import CLOCK, Support, support_of
from reprocheck.model.explanation import Case, SourceHit

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
    found = find(case, sources=CLOCK, entries=on_lines(readings(case), marks), hits=marks, evidence=evidence)
    return found or _started(case, marks, evidence)


def _started(case: Case, marks: tuple[SourceHit, ...], evidence: tuple[str, ...]) -> Match | None:
    """The line that must be constant is where the time began that the comparison measures: it is named itself."""
    starts = hits(case, "clock-loop-reading")
    found = find(case, sources=CLOCK, entries=on_lines(readings(case), starts), evidence=evidence)
    if found is None:
        return None
    functions = {(start.location.path, start.function) for start in starts if start.location == found.location}
    mark = next((one for one in marks if (one.location.path, one.function) in functions), None)
    return None if mark is None else replace(found, location=mark.location, source=mark.code)


RULE = Rule(page=PAGE, rank=401, match=match)
