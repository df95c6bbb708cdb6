"""A copy from the GPU is read before it is complete."""

from __future__ import annotations

from reprocheck.diagnosis.rules.candidate_lines import find, hits, on_cuda
from reprocheck.diagnosis.rules.model import ERROR, Match, Page, Rule
from reprocheck.diagnosis.rules.support import RACE
from reprocheck.model.explanation import Case, Remedy
from reprocheck.model.kinds import OriginKind

BLOCKING = Remedy(
    text="CUDA_LAUNCH_BLOCKING=1",
    environment=(("CUDA_LAUNCH_BLOCKING", "1"),),
    hides="launching one kernel at a time masks the race: the read is still too early",
    cost=5,
)

PAGE = Page(
    code="RC577",
    slug="async-copy-race",
    title="a non-blocking copy may be read too early",
    severity=ERROR,
    checks="A tensor is copied with `non_blocking=True`, values enter from outside, and the runs differ on a GPU.",
    why="A copy from GPU to CPU returns at once; reading it before the stream is done gives what was there before.",
    example='host = loss.to("cpu", non_blocking=True)\nlog(host.item())  # the copy may not be complete',
    fix="synchronise before reading, or drop `non_blocking` for copies to the CPU",
    limits="The copy is found in the source; that it was read too early is not proved.",
)


def match(case: Case) -> Match | None:
    if not on_cuda(case) or (case.origin is not None and case.origin.kind == OriginKind.OP):
        return None
    return find(case, sources=RACE, hits=hits(case, "non-blocking-copy"), remedies=(BLOCKING,))


RULE = Rule(page=PAGE, rank=511, match=match)
