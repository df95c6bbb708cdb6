"""Whether two runs agree, as far as both went. Pure."""

from __future__ import annotations

from dataclasses import replace

from reprocheck.compare.runs import compare, cut
from reprocheck.model import Divergence, Evidence, Request
from reprocheck.model.kinds import Stage

_STAGES = tuple(Stage)


def has_step(divergence: Divergence) -> bool:
    """Whether the difference stands at a step; a checkpoint does where it was called in the main thread."""
    return divergence.stage in (Stage.INIT, Stage.DATA, Stage.STEP) or (
        divergence.stage == Stage.CHECKPOINT and divergence.step is not None
    )


def limit_of(divergence: Divergence) -> int | None:
    """The number of steps after which the difference has shown itself; None: only the end of a run shows it."""
    if has_step(divergence):
        return (divergence.step or 0) + 1
    return None


def first_difference(a: Evidence, b: Evidence, request: Request, limit: int | None) -> Divergence | None:
    """The first difference within the first `limit` steps (None: in all)."""
    if limit is not None:
        a, b, request = cut(a, limit), cut(b, limit), replace(request, compare=())
    return compare(a, b, request).divergence


def when(divergence: Divergence | None) -> tuple[float, int]:
    """Where a difference stands in run order."""
    if divergence is None:
        return float("inf"), 0
    step = 0.0 if divergence.stage == Stage.INIT and divergence.step is None else divergence.step
    return float("inf") if step is None else float(step), _STAGES.index(divergence.stage)


def equal_generators(a: Evidence, b: Evidence) -> bool:
    """Whether the generators of both runs ended in equal states."""
    return bool(a.rng) and dict(a.rng) == dict(b.rng)
