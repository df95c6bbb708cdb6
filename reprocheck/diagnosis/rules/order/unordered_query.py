"""SQL rows without a promised order."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, hits, with_hits
from reprocheck.diagnosis.rules.model import ERROR, LOW, Match, Page, Rule
from reprocheck.diagnosis.rules.support import INTRINSIC
from reprocheck.diagnosis.source.order import is_unordered
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC543",
    slug="unordered-query",
    title="rows are read in an undefined order",
    severity=ERROR,
    checks="A query orders by `RANDOM()`, or has no ORDER BY, and the data differs with everything else equal.",
    why="A database may return rows in any order unless the query sorts them. `RANDOM()` cannot be seeded in "
    "most of them.",
    example='rows = db.execute("SELECT a, b FROM points ORDER BY RANDOM() LIMIT 64")',
    fix="ORDER BY a unique key, and shuffle in Python from the run's seed",
    limits="Queries are seen through sqlite3, and in the source where a literal text is executed. "
    "Without RANDOM() the confidence is low: most databases keep the order of insertion.",
)


def match(case: Case) -> Match | None:
    asked = tuple(entry for entry in entries(case, SourceKind.QUERY) if is_unordered(entry.value))
    shuffled = tuple(entry for entry in asked if "rand" in entry.value.lower())
    marks = hits(case, "sql-unordered")
    if shuffled:
        return find(case, sources=(INTRINSIC,), entries=shuffled, hits=with_hits(case, shuffled, "sql-unordered"))
    return find(case, sources=(INTRINSIC,), entries=asked, hits=marks, cap=LOW)


RULE = Rule(page=PAGE, rank=508, match=match)
