"""hash() of strings decides buckets or folds."""

from __future__ import annotations

from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.order.hash_order import by_hash
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC532",
    slug="builtin-hash",
    title="the built-in hash of a string affects the results",
    severity=ERROR,
    checks="The difference depends on the string-hash seed, and the source calls `hash()`.",
    why="`hash()` of a string is another number in every process: buckets, folds and ids made from it move.",
    example="bucket = hash(token) % 128",
    fix="use a stable hash: `zlib.crc32(token.encode())`, or hashlib",
    limits="The hash seed is proved by experiment, the line comes from the source.",
)


def match(case: Case) -> Match | None:
    return by_hash(case, "hash-call")


RULE = Rule(page=PAGE, rank=302, match=match)
