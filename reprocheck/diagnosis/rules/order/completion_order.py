"""Results are taken in the order in which they are ready."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, with_hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC571",
    slug="completion-order",
    title="results are taken in the order of completion",
    severity=ERROR,
    checks="`as_completed` or `imap_unordered` is used before the difference, and the runs differ with everything "
    "equal.",
    why="Which task is ready first depends on timing, and so does the order of the samples.",
    example="rows = [future.result() for future in as_completed(futures)]",
    fix="keep the order of submission: `pool.map`, `pool.imap`, or iterate over the futures themselves",
    limits="A race shows in some pairs of runs only.",
)


def match(case: Case) -> Match | None:
    used = entries(case, SourceKind.POOL, names=("as_completed", "imap_unordered"))
    return find(case, sources=RACE, entries=used, hits=with_hits(case, used, "as-completed", "imap-unordered"))


RULE = Rule(page=PAGE, rank=505, match=match)
