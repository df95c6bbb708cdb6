"""The runs of each state of the code: plan → launch → load evidence → judge by seed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reprocheck.compare.runs import compare
from reprocheck.compare.verdict import SeedRuns, judge_seed
from reprocheck.engine.cache import Reuse, reuse
from reprocheck.engine.failfast import FailFast
from reprocheck.engine.launch import launch
from reprocheck.engine.plan import Planner, plan_runs
from reprocheck.engine.progress import Progress
from reprocheck.engine.revision import PREFIX
from reprocheck.engine.templates import Templates
from reprocheck.errors import UsageError
from reprocheck.evidence.run import EvidenceUnreadable, load_evidence
from reprocheck.model import Evidence, Outcome, Request, SeedAudit, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """All runs of one state of the code, judged by seed."""

    planner: Planner
    runs: tuple[SeedRuns, ...]
    seeds: tuple[SeedAudit, ...]

    @property
    def evidence(self) -> list[Evidence]:
        """Of every run that left some."""
        return [evidence for one in self.runs for evidence in one.evidence]

    @property
    def whole_firsts(self) -> list[Evidence]:
        """The first run of every seed, if it went to its end."""
        return [one.evidence[0] for one in self.runs if one.evidence and not one.evidence[0].partial]


def run_sides(
    planners: Sequence[Planner], progress: Progress, folder: Path, templates: Templates
) -> tuple[list[Side], Reuse]:
    """One side for each planner. Only runs of the first are taken from the cache."""
    request = planners[0].request
    plans = [plan_runs(planner) for planner in planners]
    cached = reuse(request, plans[0], folder) if request.cached else Reuse()
    reused = {outcome.spec.id for outcome in cached.outcomes}
    specs = [spec for plan in plans for spec in plan if spec.id not in reused]
    then = f"if they differ, at most {request.explain_budget} further runs find out why"
    progress.started(len(specs), then if request.explain and request.explain_budget else "")
    fail_fast = FailFast() if request.fail_fast else None
    outcomes = [*cached.outcomes, *launch(specs, request.jobs, progress, fail_fast, templates)]
    _refuse_unusable(outcomes, folder, request.against)
    sides = []
    for planner, plan in zip(planners, plans, strict=True):
        ids = {spec.id for spec in plan}
        sides.append(judge_side(planner, [outcome for outcome in outcomes if outcome.spec.id in ids]))
    return sides, cached


def judge_side(planner: Planner, outcomes: Sequence[Outcome]) -> Side:
    """Load what the runs of one state of the code left, and judge each seed."""
    request = planner.request
    runs = tuple(_load_seed(seed, outcomes, request) for seed in request.seeds)
    seeds = tuple(judge_seed(one, request.repeats + request.in_process_repeat) for one in runs)
    return Side(planner=planner, runs=runs, seeds=seeds)


def _refuse_unusable(outcomes: Sequence[Outcome], folder: Path, against: str | None) -> None:
    for outcome in outcomes:
        if outcome.usage:
            shutil.rmtree(folder, ignore_errors=True)
            at = f" (at {against})" if outcome.spec.id.startswith(PREFIX) else ""
            raise UsageError(outcome.reason + at)


def _load_seed(seed: int, outcomes: Sequence[Outcome], request: Request) -> SeedRuns:
    """Evidence of every completed run; each compared with the first."""
    kept: list[Outcome] = []
    evidence: list[Evidence] = []
    for outcome in outcomes:
        if outcome.spec.seed != seed:
            continue
        if outcome.status in (Status.COMPLETED, Status.STOPPED):
            try:
                evidence.append(load_evidence(outcome))
            except EvidenceUnreadable as error:
                outcome = Outcome(spec=outcome.spec, status=Status.LOST, reason=error.message, seconds=outcome.seconds)
        kept.append(outcome)
    comparisons = tuple(compare(evidence[0], other, request) for other in evidence[1:])
    return SeedRuns(seed=seed, outcomes=tuple(kept), evidence=tuple(evidence), comparisons=comparisons)
