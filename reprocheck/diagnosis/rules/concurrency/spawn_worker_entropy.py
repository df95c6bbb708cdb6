"""Processes that start afresh draw from their own entropy."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, hits, on_lines
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import INTRINSIC
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC527",
    slug="spawn-worker-entropy",
    title="a spawned process draws without having been seeded",
    severity=ERROR,
    checks="A pool starts fresh processes (spawn, forkserver), and its function draws from a generator that it does "
    "not seed.",
    why="A forked process continues with its parent's generators; a fresh one starts its own from entropy, so the "
    "parent's seeds do not reach it.",
    example="def simulate(i):\n    return np.random.normal(size=4)  # unseeded in the child\n\n"
    'mp.get_context("spawn").Pool(2).map(simulate, range(20))',
    fix="seed inside the function, from an argument: `rng = np.random.default_rng([seed, index])`",
    limits="Where the child was not followed, the draw is found in the source only.",
)


def match(case: Case) -> Match | None:
    marks = hits(case, "spawn-draw")
    inside = on_lines((entry for entry in entries(case, SourceKind.DRAW, SourceKind.UNSEEDED) if entry.in_child), marks)
    return find(case, sources=(INTRINSIC, "unseeded", "seeding"), entries=inside, hits=marks)


RULE = Rule(page=PAGE, rank=509, match=match)
