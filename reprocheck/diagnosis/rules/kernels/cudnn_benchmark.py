"""cuDNN picks algorithms by timing them."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import on_cuda
from reprocheck.diagnosis.rules.kernels.cuda import CONVOLUTIONS, CUDNN_NO_BENCHMARK
from reprocheck.diagnosis.rules.kernels.operations import by_operation, op_name
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC603",
    slug="cudnn-benchmark",
    title="cuDNN chooses its algorithms by timing them",
    severity=ERROR,
    checks="A convolution differs for equal inputs on a GPU, and `cudnn.benchmark` was on at the end of the run.",
    why="The fastest algorithm is measured again in each process, and another one rounds differently.",
    example="torch.backends.cudnn.benchmark = True",
    fix="`torch.backends.cudnn.benchmark = False`",
    limits="The flag is read at the end of the run. RC604 covers algorithms that differ by themselves.",
)


def match(case: Case) -> Match | None:
    if not on_cuda(case) or op_name(case) not in CONVOLUTIONS or not case.settings_at_end.get("cudnn_benchmark"):
        return None
    return by_operation(case, *RACE, evidence=("cudnn.benchmark was on",), remedies=(CUDNN_NO_BENCHMARK,))


RULE = Rule(page=PAGE, rank=107, match=match)
