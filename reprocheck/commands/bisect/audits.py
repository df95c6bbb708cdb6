"""The audit of each commit that the search asks for, in a temporary worktree: each side against itself first."""

from __future__ import annotations

import math
import os
import statistics
from dataclasses import dataclass, replace

from reprocheck.commands.bisect.model import Audited, Commit, Criterion
from reprocheck.commands.run.against import metric_shifts
from reprocheck.commands.run.changes import why_not_own_code
from reprocheck.commands.run.sides import Side, judge_side
from reprocheck.compare.runs import compare
from reprocheck.engine.launch import launch
from reprocheck.engine.plan import plan_runs
from reprocheck.engine.revision import Revision, check_out, moved_planner, refuse_missing, remove
from reprocheck.engine.session import Session
from reprocheck.engine.templates import Templates
from reprocheck.engine.workspace import REVISION
from reprocheck.errors import NoVerdictError, UsageError
from reprocheck.model import Comparison, MetricShift, Outcome, Verdict
from reprocheck.model.tolerance import Margin


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    audited: Audited
    side: Side | None


class Audits:
    """Audits commits, each tree once, and compares them."""

    def __init__(self, session: Session, templates: Templates, criterion: Criterion | None) -> None:
        self._session = session
        self._templates = templates
        self._criterion = criterion
        self._by_tree: dict[str, _Found] = {}
        self._limits: tuple[float, float] | None = None

    @property
    def made(self) -> tuple[Audited, ...]:
        """All so far, in their order."""
        return tuple(found.audited for found in self._by_tree.values())

    def audit(self, commit: Commit) -> Audited:
        """Run the code of a commit, unless code that is the same to the byte was run."""
        return self._of(commit).audited

    def measure_from(self, good: Commit, bad: Commit) -> None:
        """With a criterion: the metric of these two says which side a commit is on."""
        if self._criterion is not None:
            name = self._criterion.metric
            self._limits = (self.audit(good).metrics[name], self.audit(bad).metrics[name])

    def differ(self, one: Commit, other: Commit) -> bool:
        """Whether results differ, or, with a criterion, whether one is worse than the good end and the other is not."""
        if self._criterion is None:
            return bool(self.differing(one, other))
        return self.is_worse(one) != self.is_worse(other)

    def is_worse(self, commit: Commit) -> bool:
        """Whether the metric lies further from that of the good end than the criterion allows, towards the bad one."""
        assert self._criterion is not None
        assert self._limits is not None
        good, bad = self._limits
        value = self.audit(commit).metrics[self._criterion.metric]
        if math.isnan(value) or math.isnan(bad):
            return math.isnan(value)
        towards = value > good if bad > good else value < good
        return towards and not _allows(self._criterion.worse, value, good)

    def differing(self, before: Commit, after: Commit) -> dict[int, Comparison]:
        """The seeds whose results differ, with the comparison of their first runs."""
        return {seed: found for seed, found in self._compared(before, after).items() if found.divergence is not None}

    def shifts(self, before: Commit, after: Commit) -> tuple[MetricShift, ...]:
        """What became of the metrics of both."""
        one, other = self._of(before).side, self._of(after).side
        return () if one is None or other is None else metric_shifts(one.seeds, other.seeds)

    def _compared(self, before: Commit, after: Commit) -> dict[int, Comparison]:
        one, other = self._of(before).side, self._of(after).side
        assert one is not None
        assert other is not None
        pairs = zip(one.runs, other.runs, strict=True)
        return {a.seed: compare(a.evidence[0], b.evidence[0], self._session.request) for a, b in pairs}

    def _of(self, commit: Commit) -> _Found:
        if commit.tree not in self._by_tree:
            self._session.progress.stage(f"commit {commit.name}: {commit.subject}")
            found = self._audit(commit)
            self._by_tree[commit.tree] = found
            said = f"cannot be compared: {found.audited.reason}" if found.audited.reason else "reproduces"
            self._session.progress.found(f"commit {commit.name} ({commit.subject}) {said}")
        return self._by_tree[commit.tree]

    def _audit(self, commit: Commit) -> _Found:
        session = self._session
        planner, request = session.planner, session.request
        try:
            revision = check_out(commit.hash, planner.cwd, planner.tmp / REVISION, request.share)
        except NoVerdictError as error:
            return _Found(audited=Audited(commit=commit, reason=error.message), side=None)
        revision = replace(revision, text=commit.name)
        try:
            refuse_missing(revision, request.target, planner.cwd)
            found = self._run(commit, revision)
            reason = found.audited.reason.replace(f"{revision.worktree}{os.sep}", f"{commit.name}:")
            return replace(found, audited=replace(found.audited, reason=reason))
        except UsageError as error:  # the target is not there
            return _Found(audited=Audited(commit=commit, reason=error.message), side=None)
        finally:
            remove(revision)

    def _run(self, commit: Commit, revision: Revision) -> _Found:
        planner = replace(moved_planner(revision, self._session.planner), prefix=f"{commit.name}-")
        specs = plan_runs(planner)
        self._session.progress.started(len(specs))
        outcomes = launch(specs, self._session.request.jobs, self._session.progress, templates=self._templates)
        unusable = next((outcome.reason for outcome in outcomes if outcome.usage), "")
        if unusable:
            return _Found(audited=Audited(commit=commit, reason=unusable), side=None)
        side = judge_side(planner, outcomes)
        metrics = _means(side)
        reason = _why_not(side) or why_not_own_code(revision, side.evidence, self._session.request.share)
        if not reason and self._criterion is not None and self._criterion.metric not in metrics:
            reason = f"it has no metric {self._criterion.metric}"
        return _Found(
            audited=Audited(commit=commit, reason=reason, metrics=metrics, tail=_tail(outcomes) if reason else ""),
            side=side,
        )


def _why_not(side: Side) -> str:
    for seed in side.seeds:
        if seed.verdict is Verdict.DIFFERENT:
            return f"it does not reproduce (seed {seed.seed})"
        if seed.verdict is Verdict.NO_VERDICT:
            return seed.reason
    return ""


def _means(side: Side) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for seed in side.seeds:
        for name, value in seed.runs[0].metrics.items() if seed.runs else ():
            values.setdefault(name, []).append(value)
    return {name: statistics.fmean(found) for name, found in values.items() if len(found) == len(side.seeds)}


def _tail(outcomes: list[Outcome]) -> str:
    return next((outcome.stderr_tail for outcome in outcomes if outcome.stderr_tail), "")


def _allows(margin: Margin, value: float, reference: float) -> bool:
    """Nearer than the margin: at the margin it counts."""
    return abs(value - reference) < margin.absolute + margin.relative * abs(reference)
