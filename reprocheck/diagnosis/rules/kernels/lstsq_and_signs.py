"""linalg.lstsq with its default driver, and the free signs of decompositions."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import changed_line, hits, origin_place
from reprocheck.diagnosis.rules.kernels.operations import ONE_THREAD, by_operation, op_name
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE
from reprocheck.model.explanation import Case

_OPS = {"linalg_lstsq", "lstsq", "_linalg_svd", "linalg_svd", "_linalg_eigh", "linalg_eigh", "linalg_eig", "geqrf"}

PAGE = Page(
    code="RC584",
    slug="lstsq-and-signs",
    title="a linear algebra routine gives a different result for equal inputs",
    severity=ERROR,
    checks="`torch.linalg.lstsq`, or a decomposition (svd, eigh, eig), differs though its inputs are equal.",
    why="The default driver of lstsq on a CPU (gelsy) reads a pivot array that PyTorch leaves unfilled. Vectors of a "
    "decomposition are fixed only up to their sign, which may turn.",
    example="w = torch.linalg.lstsq(h, y).solution",
    fix='`torch.linalg.lstsq(h, y, driver="gels")`, or solve by Cholesky; fix signs by a convention',
    limits="Signs mostly turn between machines, which one audit on one machine does not see.",
)


def match(case: Case) -> Match | None:
    if op_name(case) not in _OPS:
        return None
    location, _ = origin_place(case)
    edits = [hit.edit for hit in hits(case, "lstsq-default-driver") if hit.edit and hit.location == location]
    remedies = (*(changed_line(edit) for edit in edits), ONE_THREAD)
    return by_operation(case, "heap contents", *RACE, remedies=remedies)


RULE = Rule(page=PAGE, rank=101, match=match)
