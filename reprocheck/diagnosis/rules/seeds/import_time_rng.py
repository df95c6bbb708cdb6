"""A generator that is made while a module is imported."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, hits, on_lines, with_hits
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import UNSEEDED
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC511",
    slug="import-time-rng",
    title="a generator is made in a default argument or class body, before any seed",
    severity=ERROR,
    checks="A generator without a seed is made in a default argument or in the body of a class.",
    why="It is made once, while the module is imported, and shared by all callers: no later seed reaches it.",
    example="def augment(x, rng=np.random.default_rng()):\n    return x + rng.normal(size=x.shape)",
    fix="take `rng=None` and make the generator inside the function, from the run's seed",
    limits="A generator in a plain module-level variable is reported by RC503 or RC504.",
)


def match(case: Case) -> Match | None:
    marks = hits(case, "default-argument-rng", "class-body-rng")
    found = on_lines(entries(case, SourceKind.UNSEEDED), marks)
    return find(
        case,
        sources=UNSEEDED,
        entries=found,
        hits=with_hits(case, found, "default-argument-rng", "class-body-rng"),
        evidence=("it was made while the module was imported",) if any(entry.in_import for entry in found) else (),
    )


RULE = Rule(page=PAGE, rank=204, match=match, alone=True)
