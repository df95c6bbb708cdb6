"""Compiled code differs from run to run."""

from __future__ import annotations

from reprocheck.diagnosis.rules.kernels.operations import DETERMINISTIC, ONE_THREAD, by_operation
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE
from reprocheck.model.explanation import Case
from reprocheck.model.kinds import OriginKind

PAGE = Page(
    code="RC589",
    slug="compile-autotune",
    title="a compiled region gives a different result for equal inputs",
    severity=ERROR,
    checks="The inputs of a region that `torch.compile` made are equal and its outputs differ.",
    why="Inductor and Triton may choose kernels by timing them, and the choice changes the order of additions.",
    example='model = torch.compile(model, mode="max-autotune")',
    fix='compile with `mode="default"`, call `torch.use_deterministic_algorithms(True)`, and keep the compile cache',
    limits="What happens inside the region is not traced. Only the region is named, not the kernel.",
)


def match(case: Case) -> Match | None:
    if case.origin is None or case.origin.kind != OriginKind.OP or not case.origin.call.op.startswith("compiled::"):
        return None
    return by_operation(case, *RACE, remedies=(ONE_THREAD, DETERMINISTIC))


RULE = Rule(page=PAGE, rank=111, match=match)
