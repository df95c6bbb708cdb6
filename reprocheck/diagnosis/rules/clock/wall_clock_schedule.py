"""The learning rate follows the clock."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find, with_hits
from reprocheck.diagnosis.rules.clock import wall_clock_budget
from reprocheck.diagnosis.rules.clock.clock_lines import decides, readings
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import CLOCK
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import Stage

_KINDS = ("hyperparameters", "parameters", "optimizer state")

PAGE = Page(
    code="RC562",
    slug="wall-clock-schedule",
    title="elapsed time changes how a step is taken",
    severity=ERROR,
    checks="Gradients agree, the update differs, and the user's code read a clock before it.",
    why="A learning rate, patience or temperature that follows elapsed time follows the load of the machine.",
    example='group["lr"] = 0.1 * 0.5 ** (time.perf_counter() - start)',
    fix="schedule by step or epoch",
    limits="Distinguished from RC563 by what differs first: the update, not the data or the loss.",
)


def match(case: Case) -> Match | None:
    if case.divergence is None or case.divergence.stage != Stage.STEP or case.divergence.kind not in _KINDS:
        return None
    if wall_clock_budget.match(case) is not None or decides(case):
        return None
    read = readings(case)
    return find(case, sources=CLOCK, entries=read, hits=with_hits(case, read, "elapsed"), latest=True)


RULE = Rule(page=PAGE, rank=405, match=match)
