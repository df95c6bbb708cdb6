"""index_put_ with accumulate on a CPU: the backward of x[idx]."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import hits, on_cuda, origin_place
from reprocheck.diagnosis.rules.kernels.operations import DETERMINISTIC, ONE_THREAD, by_operation, op_name
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE
from reprocheck.model.explanation import Case

INDEX_OPS = {"_index_put_impl_", "index_put_", "index_put", "_unsafe_index_put", "put_", "put", "take_backward"}

PAGE = Page(
    code="RC582",
    slug="cpu-index-accumulate",
    title="indexed values are added up in thread order",
    severity=ERROR,
    checks="`index_put_` with `accumulate=True`, mostly the backward of `x[idx]`, gives a different result for equal "
    "inputs.",
    why="On a CPU with two or more threads PyTorch adds float32 values with atomic operations: the order of "
    "the additions, and so the last bits, depends on scheduling. It begins at 32768 elements.",
    example="def forward(self, rows):\n    return self.table[rows]  # its backward adds rows that occur twice",
    fix="use `nn.Embedding`, `index_select` or `gather`, or call `torch.use_deterministic_algorithms(True)`",
    limits="A race shows in some pairs of runs only. On CUDA see RC601.",
)


def is_accumulating(case: Case) -> bool:
    """The values are added: in a backward pass always, else where the call says so."""
    if case.origin is None:
        return False
    location, code = origin_place(case)
    marked = location is not None and any(hit.location == location for hit in hits(case, "index-accumulate"))
    return case.origin.call.phase == "backward" or "accumulate" in code or marked


def match(case: Case) -> Match | None:
    if op_name(case) not in INDEX_OPS or on_cuda(case) or not is_accumulating(case):
        return None
    return by_operation(case, *RACE, remedies=(ONE_THREAD, DETERMINISTIC))


RULE = Rule(page=PAGE, rank=102, match=match)
