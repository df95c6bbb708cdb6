"""The table of contents of an explanation: localize → attribute → diagnose → try fixes."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reprocheck.diagnosis.agree import first_difference
from reprocheck.diagnosis.attribute import Attributor, when
from reprocheck.diagnosis.experiments import ExperimentRunner
from reprocheck.diagnosis.leftovers import written_by
from reprocheck.diagnosis.remedy import Tried, hold_of, try_for_all, try_remedies
from reprocheck.diagnosis.replay import Replay, replay
from reprocheck.diagnosis.rules import diagnose, remedies
from reprocheck.diagnosis.source.scan import scan
from reprocheck.diagnosis.torch_warnings import nondeterministic
from reprocheck.engine.plan import Planner
from reprocheck.engine.progress import Progress
from reprocheck.engine.templates import MOST_IDLE, Templates
from reprocheck.model import Divergence, Edit, Evidence, Finding, NotCompared
from reprocheck.model.explanation import Attribution, Case, Explanation, SourceHit, Trial
from reprocheck.model.kinds import AttributionKind, Confidence, OriginKind, Severity

MOST_CAUSES = 4
"""Rounds of looking for what else there is."""
ENOUGH_FOR_ANOTHER = 4
"""Runs that another round takes at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """One look at a pair that differs, with the causes of the rounds before held constant."""

    divergence: Divergence
    seen: Replay
    attribution: Attribution
    cases: tuple[Case, ...]
    """One for each cause that was shown."""


def explain_difference(
    planner: Planner, progress: Progress, a: Evidence, b: Evidence, divergence: Divergence, templates: Templates
) -> tuple[Explanation, tuple[Finding, ...]]:
    """Why runs a and b of one seed differ, and which fix works. Raises Interrupted."""
    progress.further(planner.request.explain_budget)
    templates.idle = MOST_IDLE
    runner = ExperimentRunner(planner, progress, planner.request.explain_budget, templates=templates)
    hits = scan(Path(path) for path in a.sources)
    rounds: list[_Round] = []
    trials: list[Trial] = []
    pair: tuple[Evidence, Evidence] | None = (a, b)
    done = False
    while pair is not None and len(rounds) < MOST_CAUSES:
        difference = divergence if not rounds else first_difference(*pair, runner.request, None)
        if difference is None or (rounds and runner.left < ENOUGH_FOR_ANOTHER):
            break
        one, pair = _look(runner, *pair, difference, hits, again=bool(rounds))
        if rounds and one.attribution.kind == AttributionKind.UNCLEAR:
            break
        rounds.append(one)
        for finding in _found([one]):
            if finding.severity == Severity.ERROR and finding.confidence == Confidence.HIGH:
                runner.tell(_in_short(finding))
        if pair is not None:
            continue
        tried = _try_fixes(runner, rounds, a, b)
        trials = [*(trial for trial in trials if trial not in tried.trials), *tried.trials]
        done = any(trial.works for trial in trials)
        if not done:
            pair, done = _what_remains(runner, one, tried, a, b)
    explanation = Explanation(
        seed=a.spec.seed,
        attribution=rounds[0].attribution,
        origin=rounds[0].seen.origin,
        trials=tuple(trials),
        replays=(rounds[0].seen.diverged, rounds[0].seen.pairs),
        runs=runner.spent,
        excluded=_excluded(rounds[0].attribution),
        further=tuple(one.attribution for one in rounds[1:]),
        not_done=(*rounds[0].seen.not_done, *not_done(rounds[0].seen, runner), *_may_remain(runner, rounds, done)),
    )
    return explanation, _settled(_found(rounds, _edits(trials)), trials)


def _in_short(finding: Finding) -> str:
    """A cause that is sure before fixes are tried."""
    place = finding.location
    at = "" if place is None else f" at {os.path.relpath(place.path)}:{place.line}"
    return f"{finding.code}: {finding.message}{at}"


def _look(
    runner: ExperimentRunner,
    a: Evidence,
    b: Evidence,
    divergence: Divergence,
    hits: tuple[SourceHit, ...],
    *,
    again: bool,
) -> tuple[_Round, tuple[Evidence, Evidence] | None]:
    """Localize, attribute; and the runs that still differ with what was found held constant, if any do."""
    seen = replay(runner, a, b, divergence)
    attributor = Attributor(runner, a, b, divergence, seen, again=again)
    attribution = attributor.attribute()
    case = Case(
        request=runner.request,
        divergence=divergence,
        origin=seen.origin,
        attribution=attribution,
        entries=seen.entries,
        other_entries=seen.other_entries,
        hits=hits,
        settings_at_end=a.settings_at_end,
        manifest=a.manifest,
        facts=a.facts,
        warnings=nondeterministic((a, b)),
        written=written_by(a, b),
        cwd=str(a.spec.cwd),
    )
    if attribution.hold is not None:
        runner.hold = runner.hold + attribution.hold
    cases = tuple(replace(case, attribution=one) for one in _each(attribution))
    return _Round(divergence=divergence, seen=seen, attribution=attribution, cases=cases), attributor.rest


def _each(attribution: Attribution) -> tuple[Attribution, ...]:
    """One for each set of factors that is enough by itself."""
    if len(attribution.sets) < 2:
        return (attribution,)
    return tuple(replace(attribution, factors=factors, sets=(factors,)) for factors in attribution.sets)


def _try_fixes(runner: ExperimentRunner, rounds: Sequence[_Round], a: Evidence, b: Evidence) -> Tried:
    cases = [case for one in rounds for case in one.cases]
    if rounds[0].attribution.kind == AttributionKind.UNCLEAR and not rounds[0].attribution.sure:
        return Tried()  # runs agree as they are: a fix would seem to work
    if len(cases) == 1:
        return try_remedies(runner, remedies(cases[0]), a, b, cases[0].attribution)
    return try_for_all(runner, [remedies(case) for case in cases], a, b)


def _what_remains(
    runner: ExperimentRunner, last: _Round, tried: Tried, a: Evidence, b: Evidence
) -> tuple[tuple[Evidence, Evidence] | None, bool]:
    """Runs that differ although every known cause is held constant; or none, and whether that was seen."""
    if tried.works_in_part is not None:
        runner.hold = runner.hold + hold_of(tried.works_in_part)
        return tried.rest, False
    if last.attribution.hold is None or runner.left < 2:
        return None, False
    ran = runner.run("is there another cause?", [runner.spec(reference, against=()) for reference in (a, b)])
    agree = runner.agree(ran[0], ran[1], None)
    if agree is False and isinstance(ran[0], Evidence) and isinstance(ran[1], Evidence):
        return (ran[0], ran[1]), False
    return None, agree is True


def _may_remain(runner: ExperimentRunner, rounds: Sequence[_Round], done: bool) -> tuple[NotCompared, ...]:
    """That what was shown need not be all."""
    if done or rounds[0].attribution.kind in (AttributionKind.UNCLEAR, AttributionKind.PROCESS):
        return ()
    spent = runner.left < ENOUGH_FOR_ANOTHER
    reason = f"--explain-budget {runner.request.explain_budget} was used up" if spent else "nothing else was shown"
    return (NotCompared(what="further causes", reason=f"other causes may remain: {reason}"),)


def _edits(trials: Iterable[Trial]) -> set[Edit]:
    """The changed lines of the trials that work."""
    return {edit for trial in trials if trial.works for remedy in trial.remedies for edit in remedy.edits}


def _found(rounds: Sequence[_Round], proved: Collection[Edit] = ()) -> tuple[Finding, ...]:
    """The causes in the order of their first effects, then the other findings, each once."""
    ordered = sorted(rounds, key=lambda one: when(one.divergence))
    found = [finding for one in ordered for case in one.cases for finding in diagnose(case, proved)]
    distinct: dict[tuple[object, ...], Finding] = {}
    for finding in sorted(found, key=lambda finding: finding.severity != Severity.ERROR):
        distinct.setdefault((finding.code, finding.location), finding)
    return tuple(distinct.values())


def placed(divergence: Divergence, explanation: Explanation | None, causes: Sequence[Finding]) -> Divergence:
    """The first difference with its operation and line.

    What entered from outside torch arose where it was made, if that was shown; else at the line that took it in.
    """
    origin = None if explanation is None else explanation.origin
    if origin is None:
        location = causes[0].location if causes else None
        return replace(divergence, location=location)
    location = origin.call.frames[0].location if origin.call.frames else None
    if (
        origin.kind != OriginKind.OP
        and causes
        and causes[0].location is not None
        and causes[0].confidence != Confidence.LOW
    ):
        location = causes[0].location
    return replace(divergence, op=origin.call.op, location=location)


def _settled(found: Sequence[Finding], trials: Sequence[Trial]) -> tuple[Finding, ...]:
    """A cause whose suggested line was tried and fixed the difference is proved."""
    working_fixes = [trial for trial in trials if trial.works]
    proved = {edit: len(trial.remedies) for trial in working_fixes for one in trial.remedies for edit in one.edits}
    settled = []
    for one in found:
        if one.edit is not None and one.edit in proved:
            others = ", together with those of the other causes," if proved[one.edit] > 1 else ""
            shown = f"with the changed line{others} tried in memory, the runs agree"
            shown = shown if others else "with the changed line, tried in memory, the runs agree"
            one = replace(one, confidence=Confidence.HIGH, evidence=(*one.evidence, shown))
        settled.append(one)
    if any(one.edit is not None and proved.get(one.edit, 1) > 1 for one in settled):
        return tuple(settled)  # of several causes each is proved: they stay in the order of their first effects
    return tuple(sorted(settled, key=lambda one: one.edit is None or one.edit not in proved))


def _excluded(attribution: Attribution) -> tuple[str, ...]:
    """What the experiments ruled out."""
    out = []
    for arm in attribution.arms:
        if arm.failed or arm.name in attribution.factors:
            continue
        if arm.name in _ENVIRONMENT and arm.same:
            out.append(f"changing only the {arm.name} changes nothing")
        elif not set(arm.name.split(" and ")) <= _ENVIRONMENT and arm.name not in _OWN_ARMS and arm.differed:
            out.append(f"it still differs with {arm.name}")
    return tuple(out)


_OWN_ARMS = frozenset({"control", "later control", "without earlier files"})
"""Experiments that another sentence describes."""
_ENVIRONMENT = frozenset({"hash seed", "heap contents", "directory order", "switch interval", "temporary directory"})


def not_done(seen: Replay, runner: ExperimentRunner) -> tuple[NotCompared, ...]:
    """What an explanation had to leave out, and why."""
    if seen.pairs and not seen.diverged:
        pairs = f"{seen.pairs} traced pair{'s' if seen.pairs > 1 else ''}"
        return (NotCompared(what="localization", reason=f"the difference did not come back in {pairs}"),)
    if runner.left <= 0:
        return (NotCompared(what="further experiments", reason=f"--explain-budget {runner.spent} was used up"),)
    return ()
