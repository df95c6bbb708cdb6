"""torch.empty that is not filled."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import hits
from reprocheck.diagnosis.rules.memory.heap_contents import by_heap
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import Stage

PAGE = Page(
    code="RC592",
    slug="empty-buffer",
    title="a tensor is read before it is filled",
    severity=ERROR,
    checks="The difference depends on the contents of fresh memory, and a tensor of `torch.empty` or "
    "`empty_like` is not "
    "written as a whole.",
    why="Momentum, caches and buffers that start from memory as it is start from another value in every run.",
    example='state["velocity"] = torch.empty_like(p)',
    fix="use `torch.zeros` or `zeros_like`",
    limits="The heap is proved by experiment, the line comes from the source.",
)


def match(case: Case) -> Match | None:
    stage = "" if case.divergence is None else case.divergence.stage
    parameter = stage == Stage.INIT and bool(hits(case, "parameter-empty"))
    array = stage == Stage.DATA and bool(hits(case, "np-empty"))
    return by_heap(case, "torch-empty", fits=not parameter and not array)


RULE = Rule(page=PAGE, rank=308, match=match)
