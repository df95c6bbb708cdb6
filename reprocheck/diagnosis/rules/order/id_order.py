"""Sets of modules or parameters, and sorting by id: the order of addresses."""

from __future__ import annotations

from dataclasses import replace

from reprocheck.diagnosis.rules.candidate_lines import find, hits, walks, without_comment
from reprocheck.diagnosis.rules.model import ERROR, LOW, Match, Page, Rule
from reprocheck.diagnosis.rules.support import INTRINSIC
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import OriginKind

PAGE = Page(
    code="RC534",
    slug="id-order",
    title="the order of memory addresses affects the results",
    severity=ERROR,
    checks="The runs differ with everything equal, and the code walks through a set of objects that are hashed by "
    "their address (modules, parameters, futures), or sorts by `id`.",
    why="Such objects are hashed by their address, and addresses differ from process to process; no hash seed helps.",
    example="for module in set(model.modules()):\n    nn.init.orthogonal_(module.weight)  # draws in a different order",
    fix="keep a list, or `dict.fromkeys(model.modules())`, which drops duplicates and keeps the order",
    limits="That the order affected the results is shown only if the changed line removes the difference.",
)


def match(case: Case) -> Match | None:
    if case.origin is not None and case.origin.kind == OriginKind.OP:
        return None
    sources = (INTRINSIC, "heap contents")
    walked = walks(case, of_addresses=True)
    places = {entry.location for entry in walked}
    marks = tuple(hit for hit in hits(case, "module-set", "id-sort") if hit.location not in places)
    seen = tuple(entry.hit for entry in walked if entry.hit is not None)
    found = find(case, sources=sources, entries=walked, hits=(*seen, *(() if walked else marks)))
    if found is not None or case.entries:
        return found and replace(found, help=_help(found))
    return find(case, sources=(INTRINSIC,), hits=hits(case, "set-iteration", "set-sum"), cap=LOW)


def _help(match: Match) -> str:
    if "wait(" in match.source or (match.edit is not None and "dict.fromkeys" not in match.edit.after):
        code = "" if match.edit is None else f": `{without_comment(match.edit.after)}`"
        return f"walk through the list that the set was made from, which has an order{code}"
    return ""


RULE = Rule(page=PAGE, rank=510, match=match)
