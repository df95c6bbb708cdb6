"""Two revisions of a target, each judged by itself → whether the results changed. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reprocheck.compare.runs import compare
from reprocheck.compare.verdict import SeedRuns
from reprocheck.engine.revision import Revision
from reprocheck.errors import ExitCode
from reprocheck.model import Against, Comparison, Evidence, Location, MetricShift, Request, SeedAudit, Verdict
from reprocheck.model.explanation import Explanation, Frame, Origin


def compare_sides(
    revision: Revision,
    request: Request,
    base: Sequence[SeedRuns],
    base_seeds: tuple[SeedAudit, ...],
    here: Sequence[SeedRuns],
    here_seeds: tuple[SeedAudit, ...],
    why_not: str = "",
) -> Against:
    """One side against the other, where each reproduces. Only runs with equal environment factors are compared.

    `why_not`: why the runs of the revision say nothing of it; else empty.
    """
    reason = why_not or _why_not(base_seeds, revision.text) or _why_not(here_seeds, "the current state")
    comparisons: dict[int, Comparison] = {}
    if not reason:
        pairs = zip(base, here, strict=True)
        comparisons = {one.seed: compare(one.evidence[0], other.evidence[0], request) for one, other in pairs}
        if not all(comparison.compared for comparison in comparisons.values()):
            reason = "nothing was compared"
    differing = tuple(seed for seed, comparison in comparisons.items() if comparison.divergence is not None)
    verdict = Verdict.DIFFERENT if differing else Verdict.NO_VERDICT if reason else Verdict.REPRODUCIBLE
    return Against(
        text=revision.text,
        commit=revision.commit,
        verdict=verdict,
        reason=reason,
        seeds=base_seeds,
        differing=differing,
        divergence=comparisons[differing[0]].divergence if differing else None,
        shifts=metric_shifts(base_seeds, here_seeds),
        allowed=request.allow_different,
    )


def placed_against(against: Against, explanation: Explanation | None) -> Against:
    """With the lines at which the revisions part: those of the first operation that differs.

    Where but one stretch of all that can matter was changed, that stretch is the cause, wherever it takes effect.
    """
    if against.divergence is None:
        return against
    origin = None if explanation is None else explanation.origin
    here, base = (None, None) if origin is None else _sides(origin)
    others = [
        name for name in against.other_files if Path(name).suffix != ".py"
    ]  # code that was not imported did not run
    if len(against.changes) == 1 and not others:
        change = against.changes[0]
        is_inside = _covers(change.here, change.after, here) or _covers(change.base, change.before, base)
        here = here if is_inside and here is not None else _first(change.here, change.after)
        base = base if is_inside and base is not None else _first(change.base, change.before)
    divergence = replace(
        against.divergence,
        op=None if origin is None else origin.call.op,
        location=None if here is None else here.location,
    )
    return replace(against, here=here, base=base, divergence=divergence)


def overall_against(verdict: Verdict, code: ExitCode, against: Against | None) -> tuple[Verdict, ExitCode]:
    """The audit's verdict with the other revision taken in: this side has to reproduce in any case."""
    if against is None or verdict is not Verdict.REPRODUCIBLE or against.allowed:
        return verdict, code
    if against.verdict is Verdict.DIFFERENT:
        return Verdict.DIFFERENT, ExitCode.DIFFERENT
    if against.verdict is Verdict.NO_VERDICT:
        return Verdict.NO_VERDICT, ExitCode.NO_VERDICT
    return verdict, code


def summarize_against(against: Against) -> str:
    """The one sentence."""
    name = f"{against.text} ({against.commit[:9]})"
    if against.verdict is Verdict.NO_VERDICT:
        return f"not compared with {name}: {against.reason}"
    if against.verdict is Verdict.REPRODUCIBLE:
        return (
            f"no difference from {name} observed in {len(against.seeds)} seed{'s' if len(against.seeds) != 1 else ''}"
        )
    seeds = f"{len(against.differing)} of {len(against.seeds)} seed{'s' if len(against.seeds) != 1 else ''}"
    allowed = "; allowed by --allow-different" if against.allowed else ""
    return f"the results changed since {name} in {seeds}{allowed}"


def evidence_pair(
    against: Against, base: Sequence[SeedRuns], here: Sequence[SeedRuns]
) -> tuple[Evidence, Evidence] | None:
    """The runs of both sides in which the first difference was seen."""
    for one, other in zip(base, here, strict=True):
        if against.differing and one.seed == against.differing[0]:
            return one.evidence[0], other.evidence[0]
    return None


def _sides(origin: Origin) -> tuple[Frame | None, Frame | None]:
    """The innermost lines in the current state and in the other revision."""
    call, other = (None if one is None else next(iter(one.frames), None) for one in (origin.call, origin.other))
    return (other, call) if origin.only_in == origin.runs[0] else (call, other)


def _covers(start: Location, lines: tuple[str, ...], frame: Frame | None) -> bool:
    if frame is None or frame.location.path != start.path:
        return False
    return start.line <= frame.location.line < start.line + len(lines)


def _first(location: Location, lines: tuple[str, ...]) -> Frame:
    return Frame(location=location, function="", code=lines[0] if lines else "")


def _why_not(seeds: Sequence[SeedAudit], name: str) -> str:
    for seed in seeds:
        if seed.verdict is Verdict.DIFFERENT:
            return f"{name} does not reproduce (seed {seed.seed})"
        if seed.verdict is Verdict.NO_VERDICT:
            return f"{name} gave no verdict: {seed.reason}"
    return ""


def metric_shifts(base: Sequence[SeedAudit], here: Sequence[SeedAudit]) -> tuple[MetricShift, ...]:
    """Metrics that both sides have, by their first runs; means over seeds."""
    before, after = _values(base), _values(here)
    return tuple(
        MetricShift(
            name=name,
            seeds=len(values),
            base=statistics.fmean(values),
            here=statistics.fmean(after[name]),
            std=statistics.stdev(values) if len(values) > 1 else None,
        )
        for name, values in before.items()
        if name in after and all(math.isfinite(value) for value in (*values, *after[name]))
    )


def _values(seeds: Sequence[SeedAudit]) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {}
    for seed in seeds:
        for name, value in seed.runs[0].metrics.items() if seed.runs else ():
            values.setdefault(name, []).append(value)
    return values
