"""What the rounds of an explanation come to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from reprocheck.diagnosis.attribution.log import CONTROLS
from reprocheck.diagnosis.experiments import ExperimentRunner
from reprocheck.diagnosis.explanation.rounds import Round
from reprocheck.diagnosis.follow import follow_drift
from reprocheck.diagnosis.remedy import hold_of
from reprocheck.diagnosis.replay import Replay
from reprocheck.model import Divergence, Edit, Evidence, Finding, NotCompared
from reprocheck.model.drift import DriftAnswer
from reprocheck.model.explanation import TRIED_AND_AGREED, Attribution, Explanation, Hold, Trial
from reprocheck.model.kinds import Confidence, OriginKind, Severity
from reprocheck.model.places import place_text


def explanation_of(
    runner: ExperimentRunner,
    rounds: Sequence[Round],
    trials: Sequence[Trial],
    not_shown: tuple[NotCompared, ...],
    seed: int,
) -> Explanation:
    """The explanation without what the difference comes to."""
    first, *others = rounds
    return Explanation(
        seed=seed,
        attribution=first.attribution,
        origin=first.plain.origin,
        spread=first.plain.spread,
        trials=tuple(trials),
        replays=(first.plain.diverged, first.plain.pairs),
        runs=runner.spent,
        excluded=_excluded(first.attribution),
        further=tuple(one.attribution for one in others),
        not_done=(*first.plain.not_done, *not_done(first.plain, runner), *not_shown),
    )


def does_it_matter(
    runner: ExperimentRunner,
    rounds: Sequence[Round],
    trials: Iterable[Trial],
    a: Evidence,
    b: Evidence,
    divergence: Divergence,
) -> DriftAnswer | None:
    """With what is left of the budget. Where runs differ with everything equal, twins need what makes them agree."""
    asked = runner.request.drift
    if asked is False:
        return None
    working_fixes = next((trial for trial in trials if trial.works), None)
    fix = None
    if working_fixes is not None:
        fix = Hold()
        for remedy in working_fixes.remedies:
            fix = fix + hold_of(remedy)
    elif all(one.attribution.hold is not None and one.attribution.sure for one in rounds):
        fix = runner.hold
    return follow_drift(runner, a, b, divergence, fix, asked=asked is True)


def in_short(finding: Finding) -> str:
    """A cause that is sure before fixes are tried."""
    place = finding.location
    at = "" if place is None else f" at {place_text(os.path.relpath(place.path), place.line)}"
    return f"{finding.code}: {finding.message}{at}"


def working_edits(trials: Iterable[Trial]) -> set[Edit]:
    """The changed lines of the trials that work."""
    return {edit for trial in trials if trial.works for remedy in trial.remedies for edit in remedy.edits}


def other_findings(found: Sequence[Finding], hidden: Iterable[Finding]) -> tuple[Finding, ...]:
    """What is no cause of the difference: generators that nobody else seeds, not said already, and what is no error."""
    new = [one for one in hidden if all((one.code, one.location) != (other.code, other.location) for other in found)]
    return (*new, *(one for one in found if one.severity != Severity.ERROR))


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


def settled_findings(found: Sequence[Finding], trials: Sequence[Trial]) -> tuple[Finding, ...]:
    """A cause whose suggested line was tried and fixed the difference is proved; one whose line alone changed nothing
    is at most a further one."""
    found = _doubted(found, trials)
    working_fixes = [trial for trial in trials if trial.works]
    proved = {edit: len(trial.remedies) for trial in working_fixes for one in trial.remedies for edit in one.edits}
    settled = []
    for one in found:
        if one.edit is not None and one.edit in proved:
            others = ", together with those of the other causes," if proved[one.edit] > 1 else ""
            shown = f"with the changed line{others} tried in memory, the runs agree"
            shown = shown if others else TRIED_AND_AGREED
            one = replace(one, confidence=Confidence.HIGH, evidence=(*one.evidence, shown))
        settled.append(one)
    if any(one.edit is not None and proved.get(one.edit, 1) > 1 for one in settled):
        return tuple(settled)  # of several causes each is proved: they stay in the order of their first effects
    return tuple(sorted(settled, key=lambda one: one.edit is None or one.edit not in proved))


def _doubted(found: Sequence[Finding], trials: Sequence[Trial]) -> Sequence[Finding]:
    """A cause that fits, but with whose line changed runs differ as early as before, comes after all others."""
    refuted = {trial.remedies[0].edits for trial in trials if len(trial.remedies) == 1 and trial.as_early}
    doubted = [one.confidence == Confidence.MEDIUM and one.edit is not None and (one.edit,) in refuted for one in found]
    shown = "with the changed line, tried in memory, runs still differ as early as before"
    settled = [
        replace(one, confidence=Confidence.LOW, evidence=(*one.evidence, shown)) if doubt else one
        for one, doubt in zip(found, doubted, strict=True)
    ]
    return [one for _, one in sorted(zip(doubted, settled, strict=True), key=lambda pair: pair[0])]


def _excluded(attribution: Attribution) -> tuple[str, ...]:
    """What the experiments ruled out."""
    out = []
    for arm in attribution.arms:
        if arm.failed or arm.name in attribution.factors or _NARROWING.match(arm.name):
            continue
        if arm.name in _ENVIRONMENT and arm.same:
            out.append(f"changing only the {arm.name} changes nothing")
        elif not set(arm.name.split(" and ")) <= _ENVIRONMENT and arm.name not in _OWN_ARMS and arm.differed:
            out.append(f"it still differs with {arm.name}")
    return tuple(out)


_NARROWING = re.compile(r"frozen .* at (one line|\d+ lines)$")
"""Experiments that look for the lines: the lines show what they come to."""


_OWN_ARMS = frozenset({*CONTROLS, "without earlier files"})
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
