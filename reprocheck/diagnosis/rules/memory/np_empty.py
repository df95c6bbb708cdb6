"""numpy.empty that is not filled."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import hits
from reprocheck.diagnosis.rules.memory.heap_contents import by_heap
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import OriginKind, Stage

PAGE = Page(
    code="RC593",
    slug="np-empty",
    title="a numpy array is read before it is filled",
    severity=ERROR,
    checks="The difference depends on the contents of fresh memory, and an array of `np.empty` is not written as a "
    "whole.",
    why="Padding that was not written holds whatever was in memory.",
    example="out = np.empty((n, longest))\nfor row, seq in zip(out, sequences):\n    row[: len(seq)] = seq",
    fix="use `np.zeros` or `np.full`",
    limits="The heap is proved by experiment, the line comes from the source.",
)


def match(case: Case) -> Match | None:
    outside = case.origin is not None and case.origin.kind in (OriginKind.OUTSIDE, OriginKind.WRITTEN)
    early = case.divergence is not None and case.divergence.stage == Stage.DATA
    return by_heap(case, "np-empty", fits=bool(hits(case, "np-empty")) and (outside or early))


RULE = Rule(page=PAGE, rank=307, match=match)
