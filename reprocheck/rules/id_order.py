"""Sets of modules or parameters, and sorting by id: the order of addresses."""

from __future__ import annotations

from reprocheck.explain.model import Case
from reprocheck.rules.model import ERROR, LOW, Match, Page, Rule
from reprocheck.rules.scene import find, hits
from reprocheck.rules.standing import INTRINSIC

PAGE = Page(
    code="RC534",
    slug="id-order",
    title="the order of memory addresses gets into the numbers",
    severity=ERROR,
    checks="The runs differ with everything equal, and the source iterates over a set of modules or parameters, or "
    "sorts by `id`.",
    why="Such objects are hashed by their address, and addresses are other ones in every process; no hash seed helps.",
    example="for module in set(model.modules()):\n    nn.init.orthogonal_(module.weight)  # draws in another order",
    fix="keep a list, or `dict.fromkeys(model.modules())`, which drops duplicates and keeps the order",
    limits="The line comes from the source. Sets of objects of other classes are reported with low confidence.",
)


def match(case: Case) -> Match | None:
    if case.origin is not None and case.origin.kind == "op":
        return None
    sources = (INTRINSIC, "heap contents")
    found = find(case, sources=sources, hits=hits(case, "module-set", "id-sort"))
    return found or find(case, sources=(INTRINSIC,), hits=hits(case, "set-iteration", "set-sum"), cap=LOW)


RULE = Rule(page=PAGE, match=match)
