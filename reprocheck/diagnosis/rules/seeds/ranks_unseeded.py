"""Ranks that are started afresh and not seeded."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import entries, find, hits, on_lines
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import INTRINSIC
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import SourceKind

PAGE = Page(
    code="RC641",
    slug="ranks-unseeded",
    title="a rank draws without having been seeded",
    severity=ERROR,
    checks="A function that `mp.spawn` or a spawned process runs draws from a generator that it does not seed.",
    why="A fresh process starts its generators from entropy: the seeds of the parent do not reach it.",
    example="def worker(rank):\n    order = np.random.permutation(64)  # numpy is unseeded here\n\n"
    "np.random.seed(0)\nmp.spawn(worker, nprocs=2)",
    fix="seed python, numpy and torch at the start of the worker, from `seed + rank`",
    limits="Where the rank was not followed, the draw is found in the source only.",
)


def match(case: Case) -> Match | None:
    marks = hits(case, "rank-draw")
    inside = on_lines(
        (entry for entry in entries(case, SourceKind.DRAW, SourceKind.SEED, SourceKind.UNSEEDED) if entry.in_child),
        marks,
    )
    return find(case, sources=(INTRINSIC, "unseeded", "seeding"), entries=inside, hits=marks)


RULE = Rule(page=PAGE, rank=210, match=match)
