"""The table of contents: plan → launch → load evidence → compare → judge → explain."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reprocheck.commands.params.audit_findings import weights_findings
from reprocheck.commands.run.against import (
    compare_sides,
    evidence_pair,
    overall_against,
    placed_against,
    summarize_against,
)
from reprocheck.commands.run.baseline import check_baseline, open_baseline, overall_baseline
from reprocheck.commands.run.changes import why_not_own_code, with_changes
from reprocheck.commands.run.explained import Explained, costs_no_verdict, why_different, why_equal
from reprocheck.commands.run.manifest import make_manifest
from reprocheck.commands.run.sides import Side, run_sides
from reprocheck.compare.baseline.snapshot import snapshot_of
from reprocheck.compare.baseline.summary import summarize_baseline
from reprocheck.compare.seed_statistics import summarize_metrics
from reprocheck.compare.verdict import SeedRuns, overall, summarize, unasked, unique
from reprocheck.diagnosis.rules.difference import (
    equal_seeds,
    find_baseline_moved,
    find_divergence,
    find_moved,
    find_seed_without_effect,
)
from reprocheck.engine.cache import Reuse
from reprocheck.engine.console import Style
from reprocheck.engine.plan import FACTORS, Planner, pinned
from reprocheck.engine.progress import Progress
from reprocheck.engine.revision import Revision, check_out, moved_planner, refuse_missing, remove
from reprocheck.engine.session import Session, session
from reprocheck.engine.store import keep_report
from reprocheck.engine.templates import Templates
from reprocheck.engine.workspace import REVISION
from reprocheck.model import (
    Against,
    Audit,
    Divergence,
    Finding,
    NotCompared,
    Request,
    SeedAudit,
    SelfSeeding,
    SummaryPart,
    Verdict,
)
from reprocheck.model.baseline import Baseline, BaselineAnswer
from reprocheck.model.kinds import SummaryKind
from reprocheck.protocol import VALUES_FILE
from reprocheck.report.json.v1 import render_json


def audit(request: Request, progress: Progress) -> Audit:
    """Run the target as asked, judge it, and explain a difference. Raises UsageError, NoVerdictError or Interrupted."""
    known = open_baseline(request)
    with session(request, progress) as one:
        return _audit(one, known)


def _audit(session: Session, known: Baseline | None) -> Audit:
    request, planner = session.request, session.planner
    started = datetime.datetime.now().astimezone()
    here, against, why, cached = _run_and_explain(session)
    verdict, code = overall_against(*overall(here.seeds), against)
    manifest = make_manifest(request.target, Path.cwd(), _own_manifest(here.runs))
    firsts = {one.spec.seed: snapshot_of(one, request.ignore) for one in here.whole_firsts}
    baseline = check_baseline(known, request, verdict, firsts, manifest)
    verdict, code = overall_baseline(verdict, code, baseline)
    not_varied = pinned(request, planner.environ)
    varied = tuple(factor for factor in FACTORS if factor not in {item.what for item in not_varied})
    if not request.cached:
        _drop_values(here)
    missing = unique([*(item for one in here.runs for c in one.comparisons for item in c.not_compared), *why.not_done])
    answer = Audit(
        request=request,
        verdict=verdict,
        exit_code=int(code),
        summary_parts=_summary(here, against, baseline, varied, missing),
        seeds=here.seeds,
        divergence=why.divergence or _first_divergence(here.seeds, against),
        findings=(
            *_findings(here, against, request, why),
            *find_baseline_moved(baseline),
            *weights_findings(outcome for one in here.runs for outcome in one.outcomes),
        ),
        explanation=why.explanation,
        against=against,
        baseline=baseline,
        metrics=summarize_metrics(here.seeds),
        compared=tuple(dict.fromkeys(what for one in here.runs for c in one.comparisons for what in c.compared)),
        not_compared=missing,
        varied=varied,
        not_varied=not_varied,
        manifest=manifest,
        started=started.isoformat(timespec="seconds"),
        seconds=session.seconds,
        directory=session.folder,
        self_seeding=why.self_seeding if verdict is Verdict.REPRODUCIBLE else None,
        run_again=cached.run_again,
    )
    keep_report(session.folder, render_json(answer, Style()))
    return answer


def _run_and_explain(session: Session) -> tuple[Side, Against | None, Explained, Reuse]:
    """All runs, of the other revision too, and why they differ or what they depend on."""
    request, planner, progress = session.request, session.planner, session.progress
    with Templates(request.isolation) as templates, _other_revision(planner) as (revision, base_planner):
        planners = [planner, *([base_planner] if base_planner else [])]
        sides, cached = run_sides(planners, progress, planner.directory, templates)
        here, base = sides[0], sides[1] if base_planner else None
        against = None
        if revision is not None and base is not None:
            why_not = why_not_own_code(revision, base.evidence, request.share)
            against = compare_sides(revision, request, base.runs, base.seeds, here.runs, here.seeds, why_not)
            against = with_changes(against, revision, base.evidence, here.evidence)
        why = (
            _explain(here, base, against, revision, progress, templates)
            if request.explain
            else Explained(self_seeding=unasked(request))
        )
        against = against and placed_against(against, why.explanation)
    return here, against, why, cached


@contextmanager
def _other_revision(planner: Planner) -> Iterator[tuple[Revision | None, Planner | None]]:
    """The revision of --against, checked out for as long as its runs may be needed."""
    request = planner.request
    if request.against is None:
        yield None, None
        return
    revision = check_out(request.against, planner.cwd, planner.tmp / REVISION, request.share)
    try:
        refuse_missing(revision, request.target, planner.cwd)
        yield revision, moved_planner(revision, planner)
    finally:
        remove(revision)


def _summary(
    here: Side,
    against: Against | None,
    baseline: BaselineAnswer | None,
    varied: Sequence[str],
    missing: Sequence[NotCompared],
) -> tuple[SummaryPart, ...]:
    results = list(dict.fromkeys(item.what for item in missing if item.is_result))
    parts = summarize(overall(here.seeds)[0], here.seeds, varied, results)
    if against is not None:  # what moved comes first
        moved = SummaryPart(kind=SummaryKind.AGAINST, text=summarize_against(against))
        parts = (moved, *parts) if against.verdict is Verdict.DIFFERENT else (*parts, moved)
    if baseline is None:
        return parts
    return (*parts, SummaryPart(kind=SummaryKind.BASELINE, text=summarize_baseline(baseline)))


def _first_divergence(seeds: Sequence[SeedAudit], against: Against | None) -> Divergence | None:
    own = next((seed.divergence for seed in seeds if seed.divergence is not None), None)
    return own or (against.divergence if against is not None else None)


def _explain(
    here: Side,
    base: Side | None,
    against: Against | None,
    revision: Revision | None,
    progress: Progress,
    templates: Templates,
) -> Explained:
    """Why the first seed that differs does; else where the revisions part; else what the seeds do."""
    for one, seed in zip(here.runs, here.seeds, strict=True):
        if seed.divergence is not None:
            by_id = {evidence.spec.id: evidence for evidence in one.evidence}
            first, other = (by_id[run] for run in seed.divergence.runs)
            return why_different(here.planner, progress, templates, first, other, seed.divergence)
    firsts = here.whole_firsts
    if against is not None and against.divergence is not None and base is not None and revision is not None:
        return _why_moved(here, base, against, revision, progress, templates)
    if firsts:
        lasts = [one.evidence[-1] for one in here.runs if one.evidence and not one.evidence[-1].partial]
        return why_equal(here.planner, progress, templates, firsts, lasts, equal_seeds(here.seeds))
    return Explained()


@costs_no_verdict
def _why_moved(
    here: Side, base: Side, against: Against, revision: Revision, progress: Progress, templates: Templates
) -> Explained:
    from reprocheck.diagnosis.revisions import explain_revisions

    pair = evidence_pair(against, base.runs, here.runs)
    assert pair is not None
    assert against.divergence is not None
    explanation = explain_revisions(here.planner, base.planner, progress, pair, against.divergence, revision, templates)
    unknown = SelfSeeding(seeds_itself=None, reason="the runs were needed for --against")
    return Explained(explanation=explanation, not_done=explanation.not_done, self_seeding=unknown)


def _findings(here: Side, against: Against | None, request: Request, why: Explained) -> tuple[Finding, ...]:
    first = next((seed.divergence for seed in here.seeds if seed.divergence is not None), None)
    found = [] if first is None else [find_divergence(first, request.settings, why.causes)]
    if against is not None and not found:
        found = find_moved(against)
    lost = find_seed_without_effect(here.seeds)
    return (*found, *why.causes, *why.findings, *lost)


def _own_manifest(runs: Sequence[SeedRuns]) -> Mapping[str, Any]:
    return next((evidence.manifest for one in runs for evidence in one.evidence), {})


def _drop_values(here: Side) -> None:
    """Bytes of tensors are of use only where runs differ."""
    for one, seed in zip(here.runs, here.seeds, strict=True):
        if seed.verdict is Verdict.REPRODUCIBLE:
            for evidence in one.evidence:
                (evidence.spec.directory / VALUES_FILE).unlink(missing_ok=True)
