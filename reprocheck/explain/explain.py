"""The table of contents of an explanation: localize → attribute → diagnose → try fixes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reprocheck.explain.attribute import Attributor
from reprocheck.explain.lab import Lab
from reprocheck.explain.leftovers import written_by
from reprocheck.explain.model import Attribution, Case, Explanation, Trial
from reprocheck.explain.remedy import try_remedies
from reprocheck.explain.replay import Replay, replay
from reprocheck.explain.scan import scan
from reprocheck.explain.torch_warnings import nondeterministic
from reprocheck.model import Divergence, Evidence, Finding, NotCompared
from reprocheck.plan import Planner
from reprocheck.progress import Progress
from reprocheck.rules import diagnose, remedies


def explain_difference(
    planner: Planner, progress: Progress, a: Evidence, b: Evidence, divergence: Divergence
) -> tuple[Explanation, tuple[Finding, ...]]:
    """Why runs a and b of one seed differ, and what mends it. Raises Interrupted."""
    lab = Lab(planner, progress, planner.request.explain_budget)
    seen = replay(lab, a, b, divergence)
    attribution = Attributor(lab, a, b, divergence, seen).attribute()
    case = Case(
        request=planner.request,
        divergence=divergence,
        origin=seen.origin,
        attribution=attribution,
        taps=seen.taps,
        other_taps=seen.other_taps,
        hits=scan(Path(path) for path in a.sources),
        settings_at_end=a.settings_at_end,
        manifest=a.manifest,
        facts=a.facts,
        warnings=nondeterministic((a, b)),
        written=written_by(a, b),
        cwd=str(a.spec.cwd),
    )
    found = diagnose(case)
    trials = try_remedies(lab, remedies(case), a, b, attribution)
    explanation = Explanation(
        seed=a.spec.seed,
        attribution=attribution,
        origin=seen.origin,
        trials=trials,
        replays=(seen.diverged, seen.pairs),
        runs=lab.spent,
        excluded=_excluded(attribution),
        not_done=(*seen.not_done, *not_done(seen, lab)),
    )
    return explanation, _settled(found, trials)


def placed(divergence: Divergence, explanation: Explanation | None, causes: Sequence[Finding]) -> Divergence:
    """The first difference with its operation and line.

    What entered from outside torch arose where it was made, if that was shown; else at the line that took it in.
    """
    origin = None if explanation is None else explanation.origin
    if origin is None:
        location = causes[0].location if causes else None
        return replace(divergence, location=location)
    location = origin.call.frames[0].location if origin.call.frames else None
    if origin.kind != "op" and causes and causes[0].location is not None and causes[0].confidence != "low":
        location = causes[0].location
    return replace(divergence, op=origin.call.op, location=location)


def _settled(found: Sequence[Finding], trials: Sequence[Trial]) -> tuple[Finding, ...]:
    """A cause whose suggested line was tried and mended the difference is proved."""
    proved = {edit for trial in trials if trial.mends for remedy in trial.remedies for edit in remedy.edits}
    settled = []
    for one in found:
        if one.edit is not None and one.edit in proved:
            shown = "with the changed line, tried in memory, the runs agree"
            one = replace(one, confidence="high", evidence=(*one.evidence, shown))
        settled.append(one)
    return tuple(sorted(settled, key=lambda one: one.edit is None or one.edit not in proved))


def _excluded(attribution: Attribution) -> tuple[str, ...]:
    """What the experiments ruled out."""
    out = []
    for arm in attribution.arms:
        if arm.failed or arm.name in attribution.factors:
            continue
        if arm.name in _AMBIENT and arm.same:
            out.append(f"changing only the {arm.name} changes nothing")
        elif arm.name not in _AMBIENT and arm.name != "control" and arm.differed:
            out.append(f"it still differs with {arm.name}")
    return tuple(out)


_AMBIENT = frozenset({"hash seed", "heap contents", "directory order", "switch interval", "temporary directory"})


def not_done(seen: Replay, lab: Lab) -> tuple[NotCompared, ...]:
    """What an explanation had to leave out, and why."""
    if seen.pairs and not seen.diverged:
        pairs = f"{seen.pairs} traced pair{'s' if seen.pairs > 1 else ''}"
        return (NotCompared(what="localization", reason=f"the difference did not come back in {pairs}"),)
    if lab.left <= 0:
        return (NotCompared(what="further experiments", reason=f"--explain-budget {lab.spent} was used up"),)
    return ()
