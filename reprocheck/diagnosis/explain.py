"""The table of contents of an explanation: localize → attribute → diagnose → try fixes."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reprocheck.diagnosis.agree import equal_generators, first_difference, when
from reprocheck.diagnosis.attribution.attribute import Attributor
from reprocheck.diagnosis.attribution.log import CONTROLS, is_race, place_of
from reprocheck.diagnosis.experiments import ExperimentRunner
from reprocheck.diagnosis.follow import follow_drift
from reprocheck.diagnosis.further_causes import FurtherCause, try_clock, try_without
from reprocheck.diagnosis.hidden_seeds import find_hidden
from reprocheck.diagnosis.leftovers import leftovers, written_by
from reprocheck.diagnosis.remedy import Tried, hold_of, try_for_all, try_remedies
from reprocheck.diagnosis.replay import Replay, replay
from reprocheck.diagnosis.rules import diagnose, remedies
from reprocheck.diagnosis.source.scan import scan
from reprocheck.diagnosis.torch_warnings import nondeterministic
from reprocheck.engine.plan import Planner
from reprocheck.engine.progress import Progress
from reprocheck.engine.templates import MOST_IDLE, Templates
from reprocheck.model import Divergence, Edit, Evidence, Finding, NotCompared, Workdir, as_rank
from reprocheck.model.drift import DriftAnswer
from reprocheck.model.explanation import TRIED_AND_AGREED, Attribution, Case, Explanation, Hold, SourceHit, Trial
from reprocheck.model.kinds import AttributionKind, Confidence, OriginKind, Severity
from reprocheck.model.places import place_text

MOST_CAUSES = 4
"""Rounds of looking for what else there is."""
ENOUGH_FOR_ANOTHER = 4
"""Runs that another round takes at least."""
MOST_RACES = 2
"""What may mend a race, tried with what comes from outside held constant."""
MOST_BEHIND = 5
"""Runs that look for a cause that a working fix leaves unexplained."""
DECIDING = ("clock-loop", "clock-branch", "clock-choice")
"""Patterns of source lines where a clock decides: two runs may decide alike by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """One look at a pair that differs, with the causes of the rounds before held constant."""

    divergence: Divergence
    seen: Replay
    """The traced pair that shows the cause."""
    plain: Replay
    """The one that repeats the difference."""
    attribution: Attribution
    cases: tuple[Case, ...]
    """One for each cause that was shown."""
    others: tuple[_Round, ...] = ()
    """Causes that an experiment of this round showed next to its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What an explanation came to."""

    explanation: Explanation
    causes: tuple[Finding, ...]
    """What the difference comes from, in the order of first effects."""
    others: tuple[Finding, ...]
    """What else is wrong: it is not said to have made the difference."""


def explain_difference(
    planner: Planner, progress: Progress, a: Evidence, b: Evidence, divergence: Divergence, templates: Templates
) -> Explained:
    """Why runs a and b of one seed differ, and which fix works. Raises Interrupted."""
    progress.further(planner.request.explain_budget)
    templates.idle = MOST_IDLE
    runner = ExperimentRunner(planner, progress, planner.request.explain_budget, templates=templates)
    runner.rank = divergence.rank
    a, b = as_rank(a, divergence.rank), as_rank(b, divergence.rank)
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
        if rounds and (one.attribution.kind == AttributionKind.UNCLEAR or _is_known(one, rounds)):
            break
        rounds.append(one)
        for finding in _found([one]):
            if finding.severity == Severity.ERROR and finding.confidence == Confidence.HIGH:
                runner.tell(_in_short(finding))
        if pair is not None:
            continue
        tried = _try_fixes(runner, rounds, a, b)
        trials = _with(trials, tried)
        done = any(trial.works for trial in trials)
        if not done:
            pair, done = _what_remains(runner, one, tried, a, b)
        if pair is None and _has_alternatives(rounds) and not any(trial.works for trial in trials):
            tried = try_remedies(runner, remedies(one.cases[0]), a, b, one.attribution, known=trials)
            trials = _with(trials, tried)
    unseen = () if done else _unseen(rounds)
    if unseen:
        rounds = [*(one for one in rounds if one is rounds[0] or _is_shown(one)), *unseen]
        tried = _try_fixes(runner, rounds, a, b)
        trials = _with(trials, tried)
        done = any(trial.works for trial in trials)
    if _is_refuted(rounds, trials):
        rounds[0], done = _without_lines(rounds[0]), False
    unexplained = ""
    if done:
        had_worked = any(trial.works for trial in trials)
        rounds, trials, unexplained = _behind(runner, rounds, trials, hits, a, b)
        done = not had_worked or any(trial.works for trial in trials)
    further = _further_causes(runner, rounds, trials, hits, a, b) if done else ()
    rounds += [_further(rounds[0], one) for one in further if one.attribution is not None]
    hidden = _hidden(planner, runner, rounds, _constant(runner, trials) if done else None, (a, b))
    not_shown = _may_remain(runner, rounds, done, further, unexplained)
    found = _settled(_found(rounds, _edits(trials)), trials)
    explanation = _explanation(runner, rounds, trials, not_shown, a.spec.seed)
    answer = _does_it_matter(runner, rounds, trials, a, b, divergence)
    return Explained(
        explanation=replace(explanation, drift=answer, runs=runner.spent),
        causes=tuple(one for one in found if one.severity == Severity.ERROR),
        others=_others(found, hidden),
    )


def _explanation(
    runner: ExperimentRunner,
    rounds: Sequence[_Round],
    trials: Sequence[Trial],
    not_shown: tuple[NotCompared, ...],
    seed: int,
) -> Explanation:
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


def _with(trials: Sequence[Trial], tried: Tried) -> list[Trial]:
    """Those known, and the new ones last, each once."""
    return [*(trial for trial in trials if trial not in tried.trials), *tried.trials]


def _does_it_matter(
    runner: ExperimentRunner,
    rounds: Sequence[_Round],
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


def _unseen(rounds: Sequence[_Round]) -> tuple[_Round, ...]:
    """Causes that were shown together with another one, and of which no later round showed more."""
    kinds = {one.attribution.kind for one in rounds[1:] if _is_shown(one)}
    return tuple(
        other for one in rounds for other in one.others if other.attribution.kind not in kinds and _is_shown(other)
    )


def _is_shown(one: _Round) -> bool:
    """A cause is named, and not as a guess."""
    return any(finding.severity == Severity.ERROR and finding.confidence != Confidence.LOW for finding in _found([one]))


def _is_known(one: _Round, rounds: Iterable[_Round]) -> bool:
    """It begins in the race in which an earlier round did: what was held constant did not mend that."""
    place = _race_of(one)
    return place is not None and place in [_race_of(known) for known in rounds]


def _race_of(one: _Round) -> object:
    """The operation that gave other results of equal inputs."""
    return place_of(one.seen.origin) if is_race(one.seen.origin) else None


def _in_short(finding: Finding) -> str:
    """A cause that is sure before fixes are tried."""
    place = finding.location
    at = "" if place is None else f" at {place_text(os.path.relpath(place.path), place.line)}"
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
    plain, seen = seen, attributor.seen
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
        equal_generators=equal_generators(a, b),
        cwd=str(a.spec.cwd),
    )
    if attribution.kind == AttributionKind.INTRINSIC:
        attribution = attributor.beside_races(_against_races(case)) or attribution
    if attribution.hold is not None:
        runner.hold = runner.hold + attribution.hold

    def round_of(why: Attribution) -> _Round:
        cases = tuple(replace(case, attribution=one) for one in _each(why))
        return _Round(divergence=divergence, seen=seen, plain=plain, attribution=why, cases=cases)

    others = tuple(round_of(other) for other in attributor.others)
    return replace(round_of(attribution), others=others), attributor.rest


def _against_races(case: Case) -> list[Hold]:
    """What may mend a race, the likeliest first: a pool of one worker has no order of its own."""
    one_worker = {hit.edit for hit in case.hits if hit.pattern == "pool-workers"}
    tried = [one for one in remedies(case) if not one.hides]
    return [hold_of(one) for one in sorted(tried, key=lambda one: one_worker.isdisjoint(one.edits))][:MOST_RACES]


def _each(attribution: Attribution) -> tuple[Attribution, ...]:
    """One for each set of factors that is enough by itself; or for each of several lines that have to be constant."""
    if attribution.kind == AttributionKind.FROZEN and len(attribution.lines) > 1:
        return tuple(replace(attribution, lines=(line,), together=True) for line in attribution.lines)
    if len(attribution.sets) < 2:
        return (attribution,)
    return tuple(replace(attribution, factors=factors, sets=(factors,)) for factors in attribution.sets)


def _try_fixes(runner: ExperimentRunner, rounds: Sequence[_Round], a: Evidence, b: Evidence) -> Tried:
    cases = [case for one in rounds for case in one.cases]
    if rounds[0].attribution.kind == AttributionKind.UNCLEAR and not rounds[0].attribution.sure:
        return Tried()  # runs agree as they are: a fix would seem to work
    if len(cases) == 1:
        first = remedies(cases[0])[: 1 if _has_alternatives(rounds) else None]
        return try_remedies(runner, first, a, b, cases[0].attribution)
    return try_for_all(runner, [remedies(case) for case in cases], a, b)


def _has_alternatives(rounds: Sequence[_Round]) -> bool:
    """Whether it is asked first if there is another cause, where the likeliest fix does not work: else each further one
    is tried in vain."""
    one = rounds[0]
    is_shown = one.attribution.kind == AttributionKind.AMBIENT and one.attribution.hold is not None
    return len(rounds) == 1 and len(one.cases) == 1 and is_shown


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


def _behind(
    runner: ExperimentRunner,
    rounds: Sequence[_Round],
    trials: Sequence[Trial],
    hits: tuple[SourceHit, ...],
    a: Evidence,
    b: Evidence,
) -> tuple[list[_Round], list[Trial], str]:
    """What a fix that works leaves unexplained, looked at with the causes that are known held constant: a cause that
    was shown, and that a difference of another one hid; a difference between equal runs that no known cause makes.
    The causes and the trials after that, and what is still unexplained."""
    working = next((trial for trial in trials if trial.works), None)
    failing = next((one for one in trials if working is None and one.remedies[0].edits and not one.failed), None)
    unnamed = next((one for one in rounds if len(rounds) > 1 and not _is_shown(one)), None)
    if unnamed is not None:
        why = "the line of one cause was not found"
        own = {remedy for case in unnamed.cases for remedy in remedies(case)}
        if working is None:
            return list(rounds), list(trials), why
        kept = tuple(remedy for remedy in working.remedies if remedy not in own)
    elif _differs_unexplained(rounds):
        why = "runs with everything equal differed, which the causes that are known do not explain"
        kept = () if working is None else working.remedies
    elif failing is not None:
        why = f"with {failing.remedies[0].text} tried, runs still differ"
        kept = failing.remedies
    else:
        return list(rounds), list(trials), ""
    hold = sum(map(hold_of, kept), Hold()) if kept else runner.hold
    pair, made = _pair_that_differs(runner, hold, a)
    if unnamed is None and working is not None:
        agreed = working.agreed + made - (pair is not None)
        counted = replace(working, agreed=agreed, runs=working.runs + made)
        trials = [counted if trial is working else trial for trial in trials]
    difference = None if pair is None else first_difference(*pair, runner.request, None)
    if pair is None or difference is None or runner.left < 2:
        return list(rounds), list(trials), why
    runner.hold = hold
    found, _ = _look(runner, *pair, difference, hits, again=True)
    if not _is_shown(found) or _is_known(found, rounds):
        return list(rounds), list(trials), why
    rounds = [*(one for one in rounds if one is not unnamed), found]
    if unnamed is None:
        tried = _try_fixes(runner, rounds, a, b)
        trials = _with(trials, tried)
    return rounds, list(trials), ""


def _differs_unexplained(rounds: Sequence[_Round]) -> bool:
    """Plain runs differed, and what is known to be responsible was equal in them."""
    controls = [arm for one in rounds[:1] for arm in one.attribution.arms if arm.name in CONTROLS]
    return any(arm.differed for arm in controls) and all(
        one.attribution.kind == AttributionKind.AMBIENT and "heap contents" not in one.attribution.factors
        for one in rounds
    )


def _pair_that_differs(
    runner: ExperimentRunner, hold: Hold, a: Evidence
) -> tuple[tuple[Evidence, Evidence] | None, int]:
    """Two of a few equal runs with this held constant that differ, if any do; and how many runs were made."""
    first, made = None, 0
    while made < MOST_BEHIND and runner.left > ENOUGH_FOR_ANOTHER:
        ran = runner.run("is there another cause?", [runner.spec(a, hold=hold, against=())])[0]
        made += 1
        if not isinstance(ran, Evidence):
            break
        if first is not None and runner.agree(first, ran, None) is False:
            return (first, ran), made
        first = ran if first is None else first
    return None, made


def _is_refuted(rounds: Sequence[_Round], trials: Iterable[Trial]) -> bool:
    """One line was shown to be enough, and yet runs differ with constant answers there: it was luck."""
    attribution = rounds[0].attribution
    if len(rounds) > 1 or attribution.kind != AttributionKind.FROZEN or not attribution.lines:
        return False
    constant = {f"{kind}@{line.path}:{line.line}" for kind in attribution.factors for line in attribution.lines}
    return any(
        dict(trial.remedies[0].overrides).get("frozen") and set(dict(trial.remedies[0].overrides)["frozen"]) == constant
        for trial in trials
        if len(trial.remedies) == 1 and not trial.failed and trial.agreed < trial.runs
    )


def _without_lines(one: _Round) -> _Round:
    def bare(attribution: Attribution) -> Attribution:
        return replace(attribution, lines=(), sure=False)

    cases = tuple(replace(case, attribution=bare(case.attribution)) for case in one.cases if case.attribution)
    return replace(one, attribution=bare(one.attribution), cases=cases)


def _further_causes(
    runner: ExperimentRunner,
    rounds: Sequence[_Round],
    trials: Iterable[Trial],
    hits: Iterable[SourceHit],
    a: Evidence,
    b: Evidence,
) -> tuple[FurtherCause, ...]:
    """Whether files of earlier runs, or a clock, are causes, too, where all others are known and runs agree."""
    if any(
        one.attribution.kind in (AttributionKind.LEFTOVER, AttributionKind.UNCLEAR, AttributionKind.PROCESS)
        for one in rounds
    ):
        return ()
    hold = _constant(runner, trials)
    found = []
    files = leftovers([entry for one in rounds for entry in (*one.seen.entries, *one.seen.other_entries)], a, b)
    if files and runner.request.workdir is not Workdir.FRESH:
        found.append(try_without(runner, hold, a, files))
    is_held = any(item.startswith("clock") for item in hold.frozen)
    if not is_held and any(hit.pattern in DECIDING for hit in hits):
        found.append(try_clock(runner, hold, a))
    return tuple(found)


def _constant(runner: ExperimentRunner, trials: Iterable[Trial]) -> Hold:
    """Every cause that is known, held constant, with a fix that works where there is one."""
    working_fixes = next((trial for trial in trials if trial.works), None)
    hold = runner.hold
    for remedy in () if working_fixes is None else working_fixes.remedies:
        hold = hold + hold_of(remedy)
    return hold


def _hidden(
    planner: Planner,
    runner: ExperimentRunner,
    rounds: Sequence[_Round],
    hold: Hold | None,
    runs: tuple[Evidence, Evidence],
) -> tuple[Finding, ...]:
    """The generators that nobody but reprocheck seeds."""
    if any(one.attribution.kind == AttributionKind.PROCESS for one in rounds):
        return ()
    entries = [entry for one in rounds for entry in one.seen.entries]
    return find_hidden(planner, runner, rounds[0].cases[0], entries, runs, hold)


def _others(found: Sequence[Finding], hidden: Iterable[Finding]) -> tuple[Finding, ...]:
    """What is no cause of the difference: generators that nobody else seeds, not said already, and what is no error."""
    new = [one for one in hidden if all((one.code, one.location) != (other.code, other.location) for other in found)]
    return (*new, *(one for one in found if one.severity != Severity.ERROR))


def _further(first: _Round, found: FurtherCause) -> _Round:
    assert found.attribution is not None
    divergence = found.divergence or first.divergence
    case = replace(
        first.cases[0],
        origin=None,
        attribution=found.attribution,
        divergence=divergence,
        equal_generators=found.equal_generators,
    )
    if found.entries:
        case = replace(case, entries=found.entries, other_entries=())
    return _Round(
        divergence=divergence, seen=first.seen, plain=first.plain, attribution=found.attribution, cases=(case,)
    )


def _may_remain(
    runner: ExperimentRunner,
    rounds: Sequence[_Round],
    done: bool,
    further: Iterable[FurtherCause],
    unexplained: str,
) -> tuple[NotCompared, ...]:
    """That what was shown need not be all."""
    if unexplained:
        return (NotCompared(what="further causes", reason=f"other causes may remain: {unexplained}"),)
    not_tried = "; ".join(one.not_tried for one in further if one.not_tried)
    if not_tried:
        return (NotCompared(what="further causes", reason=f"other causes may remain: {not_tried}"),)
    first = rounds[0].attribution
    if done or first.kind == AttributionKind.PROCESS or (first.kind == AttributionKind.UNCLEAR and not first.factors):
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
