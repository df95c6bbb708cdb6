"""A parameter that nobody initialised."""

from __future__ import annotations

from reprocheck.diagnosis.rules.memory.heap_contents import by_heap
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import Stage

PAGE = Page(
    code="RC591",
    slug="empty-parameter",
    title="a parameter is never initialised",
    severity=ERROR,
    checks="The initial parameters depend on the contents of fresh memory, and "
    "`nn.Parameter(torch.empty(...))` is never "
    "filled.",
    why="`torch.empty` takes memory as it is: mostly zeros on a fresh machine, anything later.",
    example="self.scale = nn.Parameter(torch.empty(4, 600))  # and no reset_parameters()",
    fix="initialise it: `torch.zeros(...)`, or `nn.init` in `reset_parameters()`",
    limits="The heap is proved by experiment, the line comes from the source.",
)


def match(case: Case) -> Match | None:
    stage = "" if case.divergence is None else case.divergence.stage
    return by_heap(case, "parameter-empty", fits=stage == Stage.INIT)


RULE = Rule(page=PAGE, rank=306, match=match)
