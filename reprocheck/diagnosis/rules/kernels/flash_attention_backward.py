"""The backward of fused attention."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import at_origin, on_cuda
from reprocheck.diagnosis.rules.kernels.cuda import ATTENTIONS, warned_of
from reprocheck.diagnosis.rules.kernels.operations import DETERMINISTIC, by_operation, op_name
from reprocheck.diagnosis.rules.model import ERROR, LOW, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE, Support, support_of
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC607",
    slug="flash-attention-backward",
    title="the backward of fused attention adds in the order of its threads",
    severity=ERROR,
    checks="The backward of flash, memory-efficient or cuDNN attention differs for equal inputs on a GPU.",
    why="The gradient of the queries is added up with atomic operations.",
    example="F.scaled_dot_product_attention(q, k, v)  # fused on a GPU",
    fix="use the math backend, `sdpa_kernel(SDPBackend.MATH)`, or a build with `deterministic=True`, and audit again",
    limits="Some builds that call themselves deterministic still differ.",
)


def match(case: Case) -> Match | None:
    if not on_cuda(case):
        return None
    if op_name(case) in ATTENTIONS:
        return by_operation(case, *RACE, remedies=(DETERMINISTIC,))
    warned = warned_of(case, ATTENTIONS)
    if not warned or op_name(case) or support_of(case, *RACE) is Support.AGAINST:
        return None
    evidence = (f"PyTorch says that `{warned}` has no deterministic implementation",)
    return at_origin(case, LOW, evidence, (DETERMINISTIC,))


RULE = Rule(page=PAGE, rank=105, match=match)
