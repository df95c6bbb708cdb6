"""A result that is itself a time."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find, with_hits
from reprocheck.diagnosis.rules.clock.clock_lines import decides, readings
from reprocheck.diagnosis.rules.difference import is_named_like_a_clock
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import CLOCK, Support, support_of
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import Stage

PAGE = Page(
    code="RC564",
    slug="timing-metric",
    title="the result holds a time",
    severity=ERROR,
    checks="Training repeats; only a returned or written value differs that is made from a clock.",
    why="It is a false alarm unless somebody compares the field: no two runs take equally long.",
    example='return {"loss": loss, "seconds": time.perf_counter() - start}',
    fix="leave the field out of the comparison, `--ignore 'seconds'`, or do not return it",
    limits="Without the experiment the name of the field decides (seconds, time, fps, ...).",
)


def match(case: Case) -> Match | None:
    divergence = case.divergence
    if divergence is None or divergence.stage not in (Stage.METRIC, Stage.OUTPUT, Stage.FILES, Stage.STDOUT):
        return None
    if support_of(case, *CLOCK) is not Support.SHOWN and not is_named_like_a_clock(divergence):
        return None
    if decides(case) and not is_named_like_a_clock(divergence):
        return None
    read = readings(case)
    evidence = ("the training itself repeats",)
    marks = with_hits(case, read, "elapsed")
    return find(case, sources=CLOCK, entries=read, hits=marks, latest=True, evidence=evidence)


RULE = Rule(page=PAGE, rank=404, match=match)
