"""The process number or the host's name is a feature."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import differing_seeds, entries, find
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import Support, support_of
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC567",
    slug="process-feature",
    title="the process number or the host's name affects the results",
    severity=ERROR,
    checks="The runs agree once `os.getpid` and the host's name are constant, and no seed was made from them.",
    why="Process numbers differ from run to run, and names from machine to machine.",
    example="fold = os.getpid() % 5",
    fix="use a number that is passed in: the rank, the index of the worker, the run's seed",
    limits="Claimed only where the experiment with constant answers shows it.",
)


def match(case: Case) -> Match | None:
    if support_of(case, "pid") is not Support.SHOWN or differing_seeds(case):
        return None
    return find(case, sources=("pid",), entries=entries(case, SourceKind.PID), latest=True)


RULE = Rule(page=PAGE, rank=407, match=match)
