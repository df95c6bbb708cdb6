"""Several values are written to one place."""

from __future__ import annotations

from reprocheck.diagnosis.rules.kernels.cpu_index_accumulate import INDEX_OPS, is_accumulating
from reprocheck.diagnosis.rules.kernels.operations import DETERMINISTIC, ONE_THREAD, by_operation, op_name
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE
from reprocheck.model.explanation import Case

_OPS = INDEX_OPS | {"scatter_", "scatter", "index_copy_", "index_copy", "masked_scatter_"}

PAGE = Page(
    code="RC583",
    slug="index-put-duplicates",
    title="indices repeat, and the last writer wins",
    severity=ERROR,
    checks="An indexed assignment (`x[idx] = v`, `put_`, `scatter_`) gives a different result for equal inputs.",
    why="Where an index occurs twice, the thread that writes last decides what stays.",
    example="memory[slots] = values  # slots holds some numbers twice",
    fix="make the indices unique, or say how to combine: `scatter_reduce`",
    limits="A race shows in some pairs of runs only.",
)


def match(case: Case) -> Match | None:
    if op_name(case) not in _OPS or is_accumulating(case):
        return None
    return by_operation(case, *RACE, remedies=(ONE_THREAD, DETERMINISTIC))


RULE = Rule(page=PAGE, rank=103, match=match)
