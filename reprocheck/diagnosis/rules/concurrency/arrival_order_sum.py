"""Updates are added as they arrive."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, hits, on_lines
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC576",
    slug="arrival-order-sum",
    title="floats are added in the order in which they arrive",
    severity=ERROR,
    checks="What comes out of a queue is added up on the spot, and the runs differ with everything equal.",
    why="Adding floats in a different order rounds differently; the order of arrival depends on timing.",
    example="for _ in clients:\n    total += inbox.get()",
    fix="collect all of them, sort by sender, then add",
    limits="A race shows in some pairs of runs only.",
)


def match(case: Case) -> Match | None:
    marks = hits(case, "queue-sum")
    taken = on_lines(entries(case, SourceKind.POOL, names=("get", "get_nowait")), marks)
    return find(case, sources=RACE, entries=taken, hits=marks)


RULE = Rule(page=PAGE, rank=501, match=match)
