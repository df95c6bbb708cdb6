"""cuDNN algorithms that add with atomics."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import on_cuda
from reprocheck.diagnosis.rules.kernels.cuda import CONVOLUTIONS, CUDNN_DETERMINISTIC
from reprocheck.diagnosis.rules.kernels.operations import by_operation, op_name
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC604",
    slug="cudnn-algorithm",
    title="a cuDNN convolution differs for equal inputs",
    severity=ERROR,
    checks="A convolution differs for equal inputs on a GPU, and `cudnn.deterministic` was off.",
    why="Some of cuDNN's algorithms for weight gradients add with atomic operations.",
    example="torch.backends.cudnn.deterministic  # False by default",
    fix="`torch.backends.cudnn.deterministic = True`",
    limits="The flags are read at the end of the run.",
)


def match(case: Case) -> Match | None:
    if not on_cuda(case) or op_name(case) not in CONVOLUTIONS or case.settings_at_end.get("cudnn_deterministic"):
        return None
    return by_operation(case, *RACE, evidence=("cudnn.deterministic was off",), remedies=(CUDNN_DETERMINISTIC,))


RULE = Rule(page=PAGE, rank=108, match=match)
