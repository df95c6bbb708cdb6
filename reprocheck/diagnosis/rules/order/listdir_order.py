"""The order of os.listdir, os.scandir, os.walk and Path.iterdir."""

from __future__ import annotations

from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.order.listing_order import by_listing
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC541",
    slug="listdir-order",
    title="the order of a directory listing affects the results",
    severity=ERROR,
    checks="The difference depends on the order of directory entries, and the source lists a directory "
    "without sorting.",
    why="The system guarantees no order. It is stable on one disk and different on the next machine, after a copy, or "
    "in a container.",
    example="for name in os.listdir(folder):\n    shards.append(load(name))",
    fix="sort the listing: `sorted(os.listdir(folder))`",
    limits="Listings made in compiled code are not seen.",
)


def match(case: Case) -> Match | None:
    return by_listing(
        case, ("listdir", "scandir", "iterdir", "walk", "fwalk"), ("listdir", "scandir", "iterdir", "walk")
    )


RULE = Rule(page=PAGE, rank=304, match=match)
