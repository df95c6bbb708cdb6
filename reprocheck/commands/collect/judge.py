"""A plan and what there is of its runs → an audit. One seed is judged after the other, and of its runs only the first
of each numerical class is held, however many there are."""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from reprocheck.commands.collect.classes import MOST as MOST_CLASSES
from reprocheck.commands.collect.classes import Grouped
from reprocheck.commands.collect.explain import MOST_STEPS_HELD, Class, Explain, Judged
from reprocheck.commands.collect.overlap import side_by_side, without_strangers
from reprocheck.commands.collect.read import read_result
from reprocheck.commands.params.audit_findings import weights_findings
from reprocheck.commands.run.explained import Explained
from reprocheck.compare.baseline.numerical import class_differences
from reprocheck.compare.runs import compare
from reprocheck.compare.seed_statistics import summarize_metrics
from reprocheck.compare.verdict import judge_summaries, overall, summarize, summary_of, unasked, unique
from reprocheck.diagnosis.rules.difference import equal_seeds, find_divergence, find_seed_without_effect
from reprocheck.engine.console import Style
from reprocheck.engine.plan import FACTORS, START_GAP, Planner, plan_runs
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
NOTHING_LOST: Mapping[int, str] = {}


def judge(
    plan: Plan,
    folder: Path,
    planner: Planner,
    progress: Progress,
    *,
    lost: Mapping[int, str] = NOTHING_LOST,
    one_folder: bool = False,
    explain: Explain | None = None,
    manifest: Callable[[], Mapping[str, Any]] = lambda: {"numerical_class": {}},
) -> Audit:
    """Judge the runs in the `folder` of a plan; the audit is kept in the planner's. `lost`: run → why nothing of it
    will come any more. `one_folder`: all hosts saw the same one. `explain`: finds out why, afterwards. `manifest`:
    where no run lived to say what it was made with."""
    return _Collector(plan, folder, planner, progress, lost, one_folder, explain, manifest).audit()


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

    compared: dict[str, None] = field(default_factory=dict)
    not_compared: dict[NotCompared, None] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    not_varied: dict[NotCompared, None] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    started: float | None = None
    first: Outcome | None = None
    """Of the run that took down what the weights look like."""
    differing: Judged | None = None
    """The first seed that differs."""
    of_class: Class | None = None
    """Of the first run that can be judged."""
    ends: list[PlannedRun] = field(default_factory=list)
    """First and last run of each seed."""
    steps: int = 0
    """That those took."""


class _Collector:
    def __init__(
        self,
        plan: Plan,
        folder: Path,
        planner: Planner,
        progress: Progress,
        lost: Mapping[int, str],
        one_folder: bool,
        explain: Explain | None,
        manifest: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._plan, self._folder, self._progress = plan, folder, progress
        self._planner, self._request = planner, planner.request
        self._one_folder = one_folder
        self._lost_jobs, self._explain, self._manifest = lost, explain, manifest
        self._began = time.monotonic()
        self._seen = _Seen()
        self._grouped = Grouped(planner.request)
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
        verdict, code = overall(seeds)
        why = self._why(seeds)
        self._progress.finished()
        factors = (
            [*(NotCompared(what=f, reason="there is one run a seed") for f in FACTORS)] if _single(by_seed) else []
        )
        not_varied = tuple(factors or seen.not_varied)
        varied = tuple(factor for factor in FACTORS if factor not in {item.what for item in not_varied})
        missing = unique([*seen.not_compared, *why.not_done])
        differs = next((seed.divergence for seed in seeds if seed.divergence is not None), None)
        classes = self._grouped.answer(verdict is Verdict.REPRODUCIBLE)
        started = seen.started or time.time()
        answer = Audit(
            request=request,
            verdict=verdict,
            exit_code=int(code),
            summary_parts=self._summary(verdict, seeds, varied, missing, None if classes is None else classes.summary),
            seeds=tuple(seeds),
            divergence=why.divergence or differs,
            explanation=why.explanation,
            findings=(
                *([] if differs is None else [find_divergence(differs, request.settings, why.causes)]),
                *why.causes,
                *why.findings,
                *find_seed_without_effect(seeds),
                *weights_findings([] if seen.first is None else [seen.first]),
            ),
            metrics=summarize_metrics(seeds),
            compared=tuple(seen.compared),
            not_compared=missing,
            varied=varied,
            not_varied=not_varied,
            manifest=seen.manifest or self._manifest(),
            started=datetime.datetime.fromtimestamp(started).astimezone().isoformat(timespec="seconds"),
            seconds=time.monotonic() - self._began,
            directory=self._planner.directory.absolute(),
            self_seeding=why.self_seeding if verdict is Verdict.REPRODUCIBLE else None,
            missing_runs=tuple(seen.missing),
            classes=classes,
        )
        keep_report(self._planner.directory, render_json(answer, Style()))
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
        read: list[PlannedRun] = []
        for run in runs:
            result = read_result(self._plan, self._folder, run, self._planner)
            if isinstance(result, Left):
                job = self._lost_jobs.get(run.number, "") if result.is_missing else ""
                if result.is_missing:
                    seen.missing.append(run_folder(run.number))
                summaries.append(summary_of(self._lost(run, job or result.reason), None))
                continue
            outcome, evidence, name = self._load(result)
            summary = summary_of(outcome, evidence)
            summaries.append(summary)
            if run.number == 0:
                seen.first = outcome
            if evidence is None or name is None:
                continue
            seen.manifest = seen.manifest or result.manifest
            seen.of_class = seen.of_class or Class(name, self._grouped.facts(name))
            seen.started = result.started if seen.started is None else min(seen.started, result.started)
            seen.not_varied.update(dict.fromkeys(result.not_varied))
            if outcome.spec.ambient.start_gap:
                starts.append((result.started, run.id))
            self._grouped.add(name, summary, seed, result.host)
            members.setdefault(name, []).append(run.id)
            if not evidence.partial:
                read.append(run)
            if name in firsts:
                comparisons.append(compare(firsts[name], evidence, request))
            else:
                firsts[name] = evidence
            del evidence
        self._grouped.across(firsts)
        for one in comparisons:
            seen.compared.update(dict.fromkeys(one.compared))
            seen.not_compared.update(dict.fromkeys(one.not_compared))
        seen.not_varied.update(dict.fromkeys(_together(starts)))
        judged = judge_summaries(
            seed, summaries, comparisons, request.repeats + request.in_process_repeat, _alone(members)
        )
        if judged.divergence is not None and seen.differing is None:
            pair = tuple(next(run for run in runs if run.id == name) for name in judged.divergence.runs)
            letter = next(name for name, ids in members.items() if pair[0].id in ids)
            of_class = Class(letter, self._grouped.facts(letter))
            seen.differing = Judged(of_class=of_class, divergence=judged.divergence, runs=pair, equal=())
        steps = sum(one.steps for one in summaries[:1])
        if read and (not seen.ends or seen.steps + 2 * steps <= MOST_STEPS_HELD):
            seen.ends += [read[0], read[-1]]
            seen.steps += 2 * steps
        return judged

    def _why(self, seeds: Sequence[SeedAudit]) -> Explained:
        seen = self._seen
        judged = seen.differing
        if judged is None and seen.of_class is not None and seen.ends:
            judged = Judged(of_class=seen.of_class, divergence=None, runs=tuple(seen.ends), equal=equal_seeds(seeds))
        if self._explain is None or judged is None:
            return Explained(self_seeding=unasked(self._request))
        return self._explain(judged, self._reload)

    def _reload(self, runs: Sequence[PlannedRun]) -> list[Evidence]:
        """The evidence of runs that were judged, as further runs can be compared with it."""
        wanted = {run.id for run in runs}
        planned = {spec.id: spec for spec in plan_runs(self._planner) if spec.id in wanted}
        found = []
        for run in runs:
            result = read_result(self._plan, self._folder, run, self._planner)
            if isinstance(result, Result):
                was = result.outcome.spec
                spec = replace(planned[run.id], directory=was.directory, ambient=was.ambient)
                evidence = self._load(replace(result, outcome=replace(result.outcome, spec=spec)))[1]
                found += [] if evidence is None else [evidence]
        return found

    @cached_property
    def _side_by_side(self) -> frozenset[int]:
        """Of all runs: only where some wrote files they have to be looked at twice."""
        results = (read_result(self._plan, self._folder, run, self._planner) for run in self._plan.runs)
        return side_by_side((one for one in results if isinstance(one, Result)), self._one_folder)

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
