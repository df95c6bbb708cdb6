"""Whether two runs agree, as far as both went. Pure."""

from __future__ import annotations

from dataclasses import replace

from reprocheck.compare import compare
from reprocheck.model import Divergence, Evidence, Request
from reprocheck.protocol import RECORD_SIZE


def limit_of(divergence: Divergence) -> int | None:
    """The number of steps after which the difference has shown itself; None: only the end of a run shows it."""
    if divergence.stage in ("init", "data", "step"):
        return (divergence.step or 0) + 1
    return None


def first_difference(a: Evidence, b: Evidence, request: Request, limit: int | None) -> Divergence | None:
    """The first difference within the first `limit` steps (None: in all)."""
    if limit is not None:
        a, b, request = _cut(a, limit), _cut(b, limit), replace(request, compare=())
    return compare(a, b, request).divergence


def _cut(evidence: Evidence, limit: int) -> Evidence:
    """As if the run had been ended after `limit` steps. What came after the last step stands in a record of its own."""
    return replace(
        evidence,
        initial=tuple(record for record in evidence.initial if record.step < limit),
        steps=memoryview(evidence.steps)[: limit * RECORD_SIZE],
        outputs=(),
        has_output=False,
    )
