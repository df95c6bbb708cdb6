"""Recurrent layers of cuDNN."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import on_cuda
from reprocheck.diagnosis.rules.kernels.cuda import CUBLAS_WORKSPACE, RNNS
from reprocheck.diagnosis.rules.kernels.operations import by_operation, op_name
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE
from reprocheck.model.explanation import Case

PAGE = Page(
    code="RC606",
    slug="cudnn-rnn",
    title="a cuDNN recurrent layer differs for equal inputs",
    severity=ERROR,
    checks="An RNN, LSTM or GRU, mostly its weight gradient, differs for equal inputs on a GPU.",
    why="cuDNN's recurrent kernels share cuBLAS workspaces between streams.",
    example="nn.LSTM(64, 64, num_layers=2, dropout=0.5).cuda()",
    fix="export `CUBLAS_WORKSPACE_CONFIG=:16:8` (or `:4096:2`), or switch cuDNN off around the layer",
    limits="The layer is named, not the kernel.",
)


def match(case: Case) -> Match | None:
    if not on_cuda(case) or op_name(case) not in RNNS:
        return None
    return by_operation(case, *RACE, remedies=(CUBLAS_WORKSPACE,))


RULE = Rule(page=PAGE, rank=106, match=match)
