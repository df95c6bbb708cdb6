"""CUDA operations that add with atomics."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import at_origin, on_cuda
from reprocheck.diagnosis.rules.kernels.cuda import ATOMIC, warned_of
from reprocheck.diagnosis.rules.kernels.operations import DETERMINISTIC, by_operation, op_name
from reprocheck.diagnosis.rules.model import ERROR, LOW, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE, Support, support_of
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC601",
    slug="atomic-add",
    title="a CUDA operation adds in the order of its threads",
    severity=ERROR,
    checks="scatter_add, index_add, index_put, bincount, embedding_bag, ctc_loss, cumsum, ... differ for equal inputs "
    "on a GPU.",
    why="They add with atomic operations, whose order changes from run to run, and with it the last bits.",
    example="out = torch.zeros(n).cuda().scatter_add_(0, index, values)",
    fix="call `torch.use_deterministic_algorithms(True)`; where the operation has no deterministic form, rewrite it "
    "(sort and segment, gather, matmul with a one-hot)",
    limits="With only PyTorch's warning to go by, and no traced origin, the confidence is low.",
)


def match(case: Case) -> Match | None:
    if not on_cuda(case):
        return None
    if op_name(case) in ATOMIC:
        return by_operation(case, *RACE, remedies=(DETERMINISTIC,))
    warned = warned_of(case, ATOMIC)
    if not warned or op_name(case) or support_of(case, *RACE) is Support.AGAINST:
        return None
    evidence = (f"PyTorch says that `{warned}` has no deterministic implementation",)
    return at_origin(case, LOW, evidence, (DETERMINISTIC,))


RULE = Rule(page=PAGE, rank=110, match=match)
