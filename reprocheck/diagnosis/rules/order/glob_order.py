"""The order of glob."""

from __future__ import annotations

from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.order.listing_order import by_listing
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC542",
    slug="glob-order",
    title="the order of a glob affects the results",
    severity=ERROR,
    checks="The difference depends on the order of directory entries, and the source uses glob without sorting.",
    why="`glob` returns entries as the system lists them: splits and shards made by position move between machines.",
    example='paths = glob.glob("data/*.txt")\ntrain, test = paths[:20], paths[20:]',
    fix='sort it: `sorted(glob.glob("data/*.txt"))`',
    limits="Listings made in compiled code are not seen.",
)


def match(case: Case) -> Match | None:
    return by_listing(case, ("glob", "iglob", "rglob"), ("glob",))


RULE = Rule(page=PAGE, rank=305, match=match)
