"""CUDA: the backward of interpolation, sampling and padding."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import at_origin, on_cuda
from reprocheck.diagnosis.rules.kernels.cuda import INTERPOLATION, warned_of
from reprocheck.diagnosis.rules.kernels.operations import DETERMINISTIC, by_operation, op_name
from reprocheck.diagnosis.rules.model import ERROR, LOW, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE, Support, support_of
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC602",
    slug="interpolate-backward",
    title="the backward of interpolation or padding adds in the order of its threads",
    severity=ERROR,
    checks="The backward of bilinear upsampling, grid_sample or reflection padding differs for equal inputs on a GPU.",
    why="Several output gradients add into one input pixel with atomic operations; segmentation scores move visibly.",
    example='x = F.interpolate(x, scale_factor=2, mode="bilinear")',
    fix="use `mode='nearest'`, a transposed convolution, or `torch.use_deterministic_algorithms(True)` where PyTorch "
    "has a deterministic form",
    limits="With only PyTorch's warning to go by, and no traced origin, the confidence is low.",
)


def match(case: Case) -> Match | None:
    if not on_cuda(case):
        return None
    if op_name(case) in INTERPOLATION:
        return by_operation(case, *RACE, remedies=(DETERMINISTIC,))
    warned = warned_of(case, INTERPOLATION)
    if not warned or op_name(case) or support_of(case, *RACE) is Support.AGAINST:
        return None
    evidence = (f"PyTorch says that `{warned}` has no deterministic implementation",)
    return at_origin(case, LOW, evidence, (DETERMINISTIC,))


RULE = Rule(page=PAGE, rank=104, match=match)
