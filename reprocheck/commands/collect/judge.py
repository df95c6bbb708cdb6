"""A plan and what there is of its runs → an audit. One seed is judged after the other, and of its runs only the first
of each numerical class is held, however many there are."""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from reprocheck.commands.collect.classes import MOST as MOST_CLASSES
from reprocheck.commands.collect.classes import Grouped
from reprocheck.commands.collect.overlap import side_by_side, without_strangers
from reprocheck.commands.collect.read import read_result
from reprocheck.commands.params.audit_findings import weights_findings
from reprocheck.commands.plan.worker import request_of
from reprocheck.compare.baseline.numerical import class_differences
from reprocheck.compare.runs import compare
from reprocheck.compare.seed_statistics import summarize_metrics
from reprocheck.compare.verdict import judge_summaries, overall, summarize, summary_of, unasked, unique
from reprocheck.diagnosis.rules.difference import find_divergence, find_seed_without_effect
from reprocheck.engine.console import Style
from reprocheck.engine.plan import FACTORS, START_GAP, Planner
from reprocheck.engine.progress import Progress
from reprocheck.engine.store import keep_report
from reprocheck.errors import UsageError
from reprocheck.evidence.run import EvidenceUnreadable, load_evidence
from reprocheck.model import (
    Audit,
    Comparison,
    EnvironmentFactors,
    Evidence,
    NotCompared,
    Outcome,
    Request,
    RunSummary,
    SeedAudit,
    Status,
    SummaryPart,
    Verdict,
)
from reprocheck.model.kinds import SummaryKind
from reprocheck.model.plan import Left, Plan, PlannedRun, Result
from reprocheck.protocol.plain_json import plain
from reprocheck.protocol.plan_files import PLAN_FILE, NotAPlan, read_plan, run_folder
from reprocheck.report.json.v1 import render_json
from reprocheck.report.wording import first_of

_MOST = 5


def collect(folder: Path, progress: Progress) -> Audit:
    """Judge what is there of the runs of a plan. Raises UsageError where there is no plan."""
    plan = open_plan(folder)
    request = replace(request_of(plan, Path.cwd()), explain=False)
    return _Collector(plan, folder, request, progress).audit()


def open_plan(folder: Path) -> Plan:
    """Raises UsageError."""
    hint = "name a folder that `reprocheck plan --out DIR` made"
    try:
        return read_plan(folder)
    except FileNotFoundError as error:
        raise UsageError(f"{folder} holds no {PLAN_FILE}", hint) from error
    except OSError as error:
        raise UsageError(f"cannot read {folder / PLAN_FILE}: {error.strerror or error}", hint) from error
    except NotAPlan as error:
        raise UsageError(f"{folder / PLAN_FILE}: {error}", hint) from error


@dataclass
class _Seen:
    """What is kept of all runs."""

    comparisons: list[Comparison] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    not_varied: dict[NotCompared, None] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    started: float | None = None
    first: Outcome | None = None
    """Of the run that took down what the weights look like."""


class _Collector:
    def __init__(self, plan: Plan, folder: Path, request: Request, progress: Progress) -> None:
        self._plan, self._folder, self._request, self._progress = plan, folder, request, progress
        self._began = time.monotonic()
        self._planner = Planner(request=request, environ={}, cwd=Path.cwd(), directory=folder, tmp=folder)
        self._seen = _Seen()
        self._grouped = Grouped(request)
        self._required: Mapping[str, Any] | None = None
        """With --same-class: the facts of the first run."""

    def audit(self) -> Audit:
        """Everything, judged."""
        request, seen = self._request, self._seen
        by_seed: dict[int, list[PlannedRun]] = {}
        for run in self._plan.runs:
            by_seed.setdefault(run.seed, []).append(run)
        seeds = []
        for number, (seed, runs) in enumerate(by_seed.items()):
            self._progress.stage(f"judging seed {seed}, {number + 1} of {len(by_seed)}")
            seeds.append(self._seed(seed, runs))
        self._progress.finished()
        verdict, code = overall(seeds)
        factors = (
            [*(NotCompared(what=f, reason="there is one run a seed") for f in FACTORS)] if _single(by_seed) else []
        )
        not_varied = tuple(factors or seen.not_varied)
        varied = tuple(factor for factor in FACTORS if factor not in {item.what for item in not_varied})
        missing = unique(item for one in seen.comparisons for item in one.not_compared)
        differs = next((seed.divergence for seed in seeds if seed.divergence is not None), None)
        classes = self._grouped.answer(verdict is Verdict.REPRODUCIBLE)
        started = seen.started or time.time()
        answer = Audit(
            request=request,
            verdict=verdict,
            exit_code=int(code),
            summary_parts=self._summary(verdict, seeds, varied, missing, None if classes is None else classes.summary),
            seeds=tuple(seeds),
            divergence=differs,
            findings=(
                *([] if differs is None else [find_divergence(differs, request.settings)]),
                *find_seed_without_effect(seeds),
                *weights_findings([] if seen.first is None else [seen.first]),
            ),
            metrics=summarize_metrics(seeds),
            compared=tuple(dict.fromkeys(what for one in seen.comparisons for what in one.compared)),
            not_compared=missing,
            varied=varied,
            not_varied=not_varied,
            manifest=seen.manifest or {"numerical_class": {}},
            started=datetime.datetime.fromtimestamp(started).astimezone().isoformat(timespec="seconds"),
            seconds=time.monotonic() - self._began,
            directory=self._folder.absolute(),
            self_seeding=unasked(request) if verdict is Verdict.REPRODUCIBLE else None,
            missing_runs=tuple(seen.missing),
            classes=classes,
        )
        keep_report(self._folder, render_json(answer, Style()))
        return answer

    def _summary(
        self,
        verdict: Verdict,
        seeds: Sequence[SeedAudit],
        varied: Sequence[str],
        missing: Sequence[NotCompared],
        classes: str | None,
    ) -> tuple[SummaryPart, ...]:
        results = list(dict.fromkeys(item.what for item in missing if item.is_result))
        parts = list(summarize(verdict, seeds, varied, results))
        if classes is not None:
            parts.append(SummaryPart(kind=SummaryKind.CLASSES, text=classes))
        if self._seen.missing:
            names = first_of(self._seen.missing, _MOST)
            text = f"{len(self._seen.missing)} of {len(self._plan.runs)} runs are missing: {names}"
            parts.append(SummaryPart(kind=SummaryKind.MISSING, text=text))
        return tuple(parts)

    def _seed(self, seed: int, runs: Sequence[PlannedRun]) -> SeedAudit:
        request, seen = self._request, self._seen
        summaries: list[RunSummary] = []
        comparisons: list[Comparison] = []
        firsts: dict[str, Evidence] = {}
        members: dict[str, list[str]] = {}
        starts: list[tuple[float, str]] = []
        for run in runs:
            result = read_result(self._plan, self._folder, run, self._planner)
            if isinstance(result, Left):
                if result.is_missing:
                    seen.missing.append(run_folder(run.number))
                summaries.append(summary_of(self._lost(run, result.reason), None))
                continue
            outcome, evidence, name = self._load(result)
            summary = summary_of(outcome, evidence)
            summaries.append(summary)
            if run.number == 0:
                seen.first = outcome
            if evidence is None or name is None:
                continue
            seen.manifest = seen.manifest or result.manifest
            seen.started = result.started if seen.started is None else min(seen.started, result.started)
            seen.not_varied.update(dict.fromkeys(result.not_varied))
            if outcome.spec.ambient.start_gap:
                starts.append((result.started, run.id))
            self._grouped.add(name, summary, seed, result.host)
            members.setdefault(name, []).append(run.id)
            if name in firsts:
                comparisons.append(compare(firsts[name], evidence, request))
            else:
                firsts[name] = evidence
            del evidence
        self._grouped.across(firsts)
        seen.comparisons += comparisons
        seen.not_varied.update(dict.fromkeys(_together(starts)))
        return judge_summaries(
            seed, summaries, comparisons, request.repeats + request.in_process_repeat, _alone(members)
        )

    @cached_property
    def _side_by_side(self) -> frozenset[int]:
        """Of all runs: only where some wrote files they have to be looked at twice."""
        results = (read_result(self._plan, self._folder, run, self._planner) for run in self._plan.runs)
        return side_by_side(one for one in results if isinstance(one, Result))

    def _lost(self, run: PlannedRun, reason: str) -> Outcome:
        spec = self._planner.spec(run.id, run.seed, run.repeat, EnvironmentFactors())
        spec = replace(spec, directory=self._folder.absolute() / run_folder(run.number))
        return Outcome(spec=spec, status=Status.LOST, reason=reason)

    def _load(self, result: Result) -> tuple[Outcome, Evidence | None, str | None]:
        """A run that is complete, with its evidence and the name of its class."""
        outcome = result.outcome
        if outcome.status is not Status.COMPLETED:
            return outcome, None, None
        try:
            evidence = load_evidence(outcome)
            if evidence.files and result.run.number in self._side_by_side:
                evidence = without_strangers(evidence, self._request)
            facts = _class_facts(result, evidence)
        except EvidenceUnreadable as error:
            return replace(outcome, status=Status.LOST, reason=f"is refused: {error.message}"), None, None
        if self._plan.same_class:
            self._required = self._required or facts
            other = class_differences(self._required, facts)
            if other:
                name, theirs, own = other[0]
                reason = f"was made on another numerical class (--same-class): {name} {own}, not {theirs}"
                return replace(outcome, status=Status.LOST, reason=reason), None, None
        name_of = self._grouped.class_of(facts)
        if name_of is None:
            reason = f"was made on one more numerical class than the {MOST_CLASSES} that are told apart"
            return replace(outcome, status=Status.LOST, reason=reason), None, None
        return outcome, evidence, name_of


def _class_facts(result: Result, evidence: Evidence) -> Mapping[str, Any]:
    """The numerical class that a result names, if the evidence says nothing else. Raises EvidenceUnreadable."""
    facts = result.manifest.get("numerical_class")
    if not isinstance(facts, dict):
        raise EvidenceUnreadable("its result names no numerical class")
    for name, value in facts.items():
        if result.manifest.get(name) != value or (
            name in evidence.manifest and plain(evidence.manifest[name]) != value
        ):
            raise EvidenceUnreadable(f"its numerical class is not that of its evidence: {name}")
    return facts


def _alone(members: Mapping[str, Sequence[str]]) -> str:
    """Why a run has nothing to be compared with; empty where each has."""
    single = [(name, runs[0]) for name, runs in members.items() if len(runs) == 1]
    if not single or len(members) == 1:
        return ""
    name, run = single[0]
    return f"run {run} is the only one of numerical class {name} and has nothing to be compared with"


def _together(starts: Iterable[tuple[float, str]]) -> list[NotCompared]:
    """Repeats that began in the same second saw the same clock."""
    ordered = sorted(starts)
    return [
        NotCompared(what="start time", reason=f"runs {a} and {b} started within {START_GAP} s of each other")
        for (first, a), (then, b) in itertools.pairwise(ordered)
        if then - first < START_GAP
    ][:1]


def _single(by_seed: Mapping[int, Sequence[PlannedRun]]) -> bool:
    return all(len(runs) < 2 for runs in by_seed.values())
