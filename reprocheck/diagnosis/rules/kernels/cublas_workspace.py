"""cuBLAS without a fixed workspace."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import on_cuda
from reprocheck.diagnosis.rules.kernels.cuda import CUBLAS_WORKSPACE, MATMULS
from reprocheck.diagnosis.rules.kernels.operations import by_operation, op_name
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC605",
    slug="cublas-workspace",
    title="cuBLAS works without a fixed workspace",
    severity=ERROR,
    checks="A matrix product differs for equal inputs on a GPU, and CUBLAS_WORKSPACE_CONFIG is not set.",
    why="With several streams cuBLAS may use a different workspace, and with it a different order of additions.",
    example="torch.use_deterministic_algorithms(True)  # raises, or warns, without the variable",
    fix="export `CUBLAS_WORKSPACE_CONFIG=:4096:8` before Python starts",
    limits="The variable is read at the end of the run.",
)


def match(case: Case) -> Match | None:
    if not on_cuda(case) or op_name(case) not in MATMULS or case.settings_at_end.get("cublas_workspace_config"):
        return None
    evidence = ("CUBLAS_WORKSPACE_CONFIG was not set",)
    return by_operation(case, *RACE, evidence=evidence, remedies=(CUBLAS_WORKSPACE,))


RULE = Rule(page=PAGE, rank=109, match=match)
