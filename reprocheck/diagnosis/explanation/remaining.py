"""Fixes for the causes that are known, and what they leave unexplained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from reprocheck.diagnosis.agree import first_difference
from reprocheck.diagnosis.attribution.log import CONTROLS
from reprocheck.diagnosis.experiments import ExperimentRunner
from reprocheck.diagnosis.explanation.rounds import Round, is_known, is_shown, look
from reprocheck.diagnosis.further_causes import FurtherCause, try_clock, try_without
from reprocheck.diagnosis.hidden_seeds import find_hidden
from reprocheck.diagnosis.leftovers import leftovers
from reprocheck.diagnosis.remedy import Tried, hold_of, try_for_all, try_remedies
from reprocheck.diagnosis.rules import remedies
from reprocheck.engine.plan import Planner
from reprocheck.model import Evidence, Finding, NotCompared, Workdir
from reprocheck.model.explanation import Hold, SourceHit, Trial
from reprocheck.model.kinds import AttributionKind

ENOUGH_FOR_ANOTHER = 4
"""Runs that another round takes at least."""


MOST_BEHIND = 5
"""Runs that look for a cause that a working fix leaves unexplained."""


DECIDING = ("clock-loop", "clock-branch", "clock-choice")
"""Patterns of source lines where a clock decides: two runs may decide alike by chance."""


def unseen_causes(rounds: Sequence[Round]) -> tuple[Round, ...]:
    """Causes that were shown together with another one, and of which no later round showed more."""
    kinds = {one.attribution.kind for one in rounds[1:] if is_shown(one)}
    return tuple(
        other for one in rounds for other in one.others if other.attribution.kind not in kinds and is_shown(other)
    )


def joined(trials: Sequence[Trial], tried: Tried) -> list[Trial]:
    """Those known, and the new ones last, each once."""
    return [*(trial for trial in trials if trial not in tried.trials), *tried.trials]


def try_fixes(runner: ExperimentRunner, rounds: Sequence[Round], a: Evidence, b: Evidence) -> Tried:
    """Fixes for every cause that is known, the likeliest first."""
    cases = [case for one in rounds for case in one.cases]
    if rounds[0].attribution.kind == AttributionKind.UNCLEAR and not rounds[0].attribution.sure:
        return Tried()  # runs agree as they are: a fix would seem to work
    if len(cases) == 1:
        first = remedies(cases[0])[: 1 if has_alternatives(rounds) else None]
        return try_remedies(runner, first, a, b, cases[0].attribution)
    return try_for_all(runner, [remedies(case) for case in cases], a, b)


def has_alternatives(rounds: Sequence[Round]) -> bool:
    """Whether it is asked first if there is another cause, where the likeliest fix does not work: else each further one
    is tried in vain."""
    one = rounds[0]
    is_shown = one.attribution.kind == AttributionKind.AMBIENT and one.attribution.hold is not None
    return len(rounds) == 1 and len(one.cases) == 1 and is_shown


def what_remains(
    runner: ExperimentRunner, last: Round, tried: Tried, a: Evidence, b: Evidence
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


def look_behind(
    runner: ExperimentRunner,
    rounds: Sequence[Round],
    trials: Sequence[Trial],
    hits: tuple[SourceHit, ...],
    a: Evidence,
    b: Evidence,
) -> tuple[list[Round], list[Trial], str]:
    """What a fix that works leaves unexplained, looked at with the causes that are known held constant: a cause that
    was shown, and that a difference of another one hid; a difference between equal runs that no known cause makes.
    The causes and the trials after that, and what is still unexplained."""
    working = next((trial for trial in trials if trial.works), None)
    failing = next((one for one in trials if working is None and one.remedies[0].edits and not one.failed), None)
    unnamed = next((one for one in rounds if len(rounds) > 1 and not is_shown(one)), None)
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
    found, _ = look(runner, *pair, difference, hits, again=True)
    if not is_shown(found) or is_known(found, rounds):
        return list(rounds), list(trials), why
    rounds = [*(one for one in rounds if one is not unnamed), found]
    if unnamed is None:
        tried = try_fixes(runner, rounds, a, b)
        trials = joined(trials, tried)
    return rounds, list(trials), ""


def _differs_unexplained(rounds: Sequence[Round]) -> bool:
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


def is_refuted(rounds: Sequence[Round], trials: Iterable[Trial]) -> bool:
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


def try_further(
    runner: ExperimentRunner,
    rounds: Sequence[Round],
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
    hold = held_constant(runner, trials)
    found = []
    files = leftovers([entry for one in rounds for entry in (*one.seen.entries, *one.seen.other_entries)], a, b)
    if files and runner.request.workdir is not Workdir.FRESH:
        found.append(try_without(runner, hold, a, files))
    is_held = any(item.startswith("clock") for item in hold.frozen)
    if not is_held and any(hit.pattern in DECIDING for hit in hits):
        found.append(try_clock(runner, hold, a))
    return tuple(found)


def held_constant(runner: ExperimentRunner, trials: Iterable[Trial]) -> Hold:
    """Every cause that is known, held constant, with a fix that works where there is one."""
    working_fixes = next((trial for trial in trials if trial.works), None)
    hold = runner.hold
    for remedy in () if working_fixes is None else working_fixes.remedies:
        hold = hold + hold_of(remedy)
    return hold


def hidden_seeds(
    planner: Planner,
    runner: ExperimentRunner,
    rounds: Sequence[Round],
    hold: Hold | None,
    runs: tuple[Evidence, Evidence],
) -> tuple[Finding, ...]:
    """The generators that nobody but reprocheck seeds."""
    if any(one.attribution.kind == AttributionKind.PROCESS for one in rounds):
        return ()
    entries = [entry for one in rounds for entry in one.seen.entries]
    return find_hidden(planner, runner, rounds[0].cases[0], entries, runs, hold)


def may_remain(
    runner: ExperimentRunner,
    rounds: Sequence[Round],
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
