"""The table of contents: plan → launch → load evidence → compare → judge → explain."""

from __future__ import annotations

import datetime
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprocheck.compare import compare
from reprocheck.errors import Interrupted, UsageError
from reprocheck.evidence import EvidenceUnreadable, load_evidence
from reprocheck.explain.model import Explanation
from reprocheck.findings import equal_seeds, find_divergence, find_seed_without_effect
from reprocheck.judge import SeedRuns, judge_seed, overall, summarize, summarize_metrics, unique
from reprocheck.launch import launch
from reprocheck.manifest import make_manifest
from reprocheck.model import (
    Audit,
    Divergence,
    Evidence,
    Finding,
    NotCompared,
    Outcome,
    Request,
    SeedAudit,
    Status,
    Verdict,
)
from reprocheck.plan import FACTORS, Planner, pinned, plan_runs
from reprocheck.progress import Progress
from reprocheck.protocol import VALUES_FILE
from reprocheck.store import create_audit_folder, prune


def audit(request: Request, progress: Progress) -> Audit:
    """Run the target as asked, judge it, and explain a difference. Raises UsageError, NoVerdictError or Interrupted."""
    started, clock = datetime.datetime.now().astimezone(), time.monotonic()
    folder = create_audit_folder(request.evidence)
    tmp = Path(tempfile.mkdtemp(prefix="reprocheck-"))
    planner = Planner(request=request, environ=dict(os.environ), cwd=Path.cwd(), directory=folder, tmp=tmp)
    try:
        specs = plan_runs(planner)
        progress.started(len(specs))
        outcomes = launch(specs, request.jobs, progress)
        _refuse_unusable(outcomes, folder)
        runs = [_load_seed(seed, outcomes, request) for seed in request.seeds]
        seeds = tuple(judge_seed(one, request.repeats + request.in_process_repeat) for one in runs)
        why = _explain(planner, progress, runs, seeds) if request.explain else _Why()
    except Interrupted as error:
        raise Interrupted("interrupted", f"the evidence so far is in {_shown(folder)}") from error
    finally:
        progress.finished()
        shutil.rmtree(tmp, ignore_errors=True)
        prune(request.evidence, request.keep)
    verdict, code = overall(seeds)
    not_varied = pinned(request, planner.environ)
    varied = tuple(factor for factor in FACTORS if factor not in {item.what for item in not_varied})
    _drop_values(runs, seeds)
    divergence = next((seed.divergence for seed in seeds if seed.divergence is not None), None)
    return Audit(
        request=request,
        verdict=verdict,
        exit_code=int(code),
        summary=summarize(verdict, seeds, varied),
        seeds=seeds,
        divergence=divergence if why.divergence is None else why.divergence,
        findings=_findings(runs, seeds, request, why.findings),
        explanation=why.explanation,
        metrics=summarize_metrics(seeds),
        compared=tuple(dict.fromkeys(what for one in runs for c in one.comparisons for what in c.compared)),
        not_compared=unique(
            [*(item for one in runs for c in one.comparisons for item in c.not_compared), *why.not_done]
        ),
        varied=varied,
        not_varied=not_varied,
        manifest=make_manifest(request.target, Path.cwd(), _said_of_itself(runs)),
        started=started.isoformat(timespec="seconds"),
        seconds=time.monotonic() - clock,
        directory=folder,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Why:
    """The second half of an audit."""

    explanation: Explanation | None = None
    divergence: Divergence | None = None
    """The first difference with its operation and line."""
    findings: tuple[Finding, ...] = ()
    not_done: tuple[NotCompared, ...] = ()


def _explain(planner: Planner, progress: Progress, runs: Sequence[SeedRuns], seeds: Sequence[SeedAudit]) -> _Why:
    """Why the first seed that differs does; else why seeds have no effect. A bug of ours here costs no verdict."""
    try:
        from reprocheck.explain.explain import explain_difference, explain_seed, placed

        for one, seed in zip(runs, seeds, strict=True):
            if seed.divergence is not None:
                by_id = {evidence.spec.id: evidence for evidence in one.evidence}
                first, other = (by_id[run] for run in seed.divergence.runs)
                explanation, findings = explain_difference(planner, progress, first, other, seed.divergence)
                return _Why(
                    explanation=explanation,
                    divergence=placed(seed.divergence, explanation, findings),
                    findings=findings,
                    not_done=explanation.not_done,
                )
        firsts = [one.evidence[0] for one in runs if one.evidence]
        equal = equal_seeds(firsts)
        if equal:
            return _Why(findings=explain_seed(planner, progress, firsts[0], equal))
    except Exception as error:
        reason = f"a bug in reprocheck, please report it: {type(error).__name__}: {error}"
        return _Why(not_done=(NotCompared(what="explanation", reason=reason),))
    return _Why()


def _refuse_unusable(outcomes: Sequence[Outcome], folder: Path) -> None:
    for outcome in outcomes:
        if outcome.usage:
            shutil.rmtree(folder, ignore_errors=True)
            raise UsageError(outcome.reason)


def _load_seed(seed: int, outcomes: Sequence[Outcome], request: Request) -> SeedRuns:
    """Evidence of every completed run; each compared with the first."""
    kept: list[Outcome] = []
    evidence: list[Evidence] = []
    for outcome in outcomes:
        if outcome.spec.seed != seed:
            continue
        if outcome.status is Status.COMPLETED:
            try:
                evidence.append(load_evidence(outcome))
            except EvidenceUnreadable as error:
                outcome = Outcome(spec=outcome.spec, status=Status.LOST, reason=error.message, seconds=outcome.seconds)
        kept.append(outcome)
    comparisons = tuple(compare(evidence[0], other, request) for other in evidence[1:])
    return SeedRuns(seed=seed, outcomes=tuple(kept), evidence=tuple(evidence), comparisons=comparisons)


def _findings(
    runs: Sequence[SeedRuns], seeds: Sequence[SeedAudit], request: Request, causes: tuple[Finding, ...]
) -> tuple[Finding, ...]:
    found = [find_divergence(s.divergence, request.settings, causes) for s in seeds if s.divergence is not None][:1]
    lost = find_seed_without_effect([one.evidence[0] for one in runs if one.evidence])
    return (*found, *lost, *causes)


def _said_of_itself(runs: Sequence[SeedRuns]) -> Mapping[str, Any]:
    return next((evidence.manifest for one in runs for evidence in one.evidence), {})


def _drop_values(runs: Sequence[SeedRuns], seeds: Sequence[SeedAudit]) -> None:
    """Bytes of tensors are of use only where runs differ."""
    for one, seed in zip(runs, seeds, strict=True):
        if seed.verdict is Verdict.REPRODUCIBLE:
            for evidence in one.evidence:
                (evidence.spec.directory / VALUES_FILE).unlink(missing_ok=True)


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
