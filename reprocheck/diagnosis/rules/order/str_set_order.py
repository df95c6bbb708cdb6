"""The order of a set of strings."""

from __future__ import annotations

from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.order.hash_order import by_hash
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC531",
    slug="str-set-order",
    title="the order of a set of strings affects the results",
    severity=ERROR,
    checks="The difference depends on the string-hash seed, and the source iterates over a set.",
    why="Python hashes strings with a different seed in every process. A vocabulary or label table made from a set "
    "then has a different order in every run.",
    example="vocab = list(set(words))  # a different order in every process",
    fix="sort it: `sorted(set(words))`",
    limits="The hash seed is proved by experiment, the line comes from the source. Sets that a library makes are not "
    "found.",
)


def match(case: Case) -> Match | None:
    return by_hash(case, "set-iteration", fallback=True)


RULE = Rule(page=PAGE, rank=303, match=match)
