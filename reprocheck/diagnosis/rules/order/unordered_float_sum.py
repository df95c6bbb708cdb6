"""Floats are added in the order of a set."""

from __future__ import annotations

from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.order.hash_order import by_hash
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC535",
    slug="unordered-float-sum",
    title="floats are added in the order of a set",
    severity=ERROR,
    checks="The difference depends on the string-hash seed, and the source adds up over a set.",
    why="Adding floats in a different order rounds differently: the last bits change, and training makes them grow.",
    example="for name in set(penalties):\n    total = total + penalties[name]",
    fix="sort before adding, `for name in sorted(penalties)`, or use `math.fsum` for Python floats",
    limits="The hash seed is proved by experiment, the line comes from the source.",
)


def match(case: Case) -> Match | None:
    return by_hash(case, "set-sum")


RULE = Rule(page=PAGE, rank=301, match=match)
