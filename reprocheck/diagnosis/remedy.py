"""Try fixes: the candidates for real, the cheapest first, alone and then together, reduced to a smallest set."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from reprocheck.diagnosis.agree import first_difference, when
from reprocheck.diagnosis.experiments import ExperimentRunner, why_failed
from reprocheck.evidence.run import Ran
from reprocheck.model import Edit, Evidence, Outcome
from reprocheck.model.explanation import Attribution, Hold, Remedy, Trial
from reprocheck.model.kinds import AttributionKind
from reprocheck.protocol import count_steps

MOST_TRIALS = 4
SHORTEST = 1.0
"""Seconds of steps: the time of fewer says nothing of a price."""
LEAST_PRICE = 1.25
"""A ratio nearer to 1 is none: the two groups of runs are minutes apart, and the machine has changed meanwhile."""
_OUT_OF_REACH = "the script of a rank cannot be changed in memory: change the line and audit again"
RARE_RUNS = 3
"""Runs of a trial where a difference does not show in every pair: two may agree by luck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of the trials."""

    trials: tuple[Trial, ...] = ()
    works_in_part: Remedy | None = None
    """With it, runs with equal environment factors agree, but those of the audit do not: there is another cause."""
    rest: tuple[Evidence, Evidence] | None = None
    """The runs that still differ with it."""


def try_remedies(
    runner: ExperimentRunner,
    remedies: Sequence[Remedy],
    a: Evidence,
    b: Evidence,
    attribution: Attribution | None,
    known: Sequence[Trial] = (),
) -> Tried:
    """Each alone until one works; if none does, all together, then without what is not needed; last what hides.
    `known`: trials that were made of them already, and did not work."""
    is_rare = attribution is not None and attribution.kind in (AttributionKind.INTRINSIC, AttributionKind.UNCLEAR)
    runs = RARE_RUNS if is_rare else 2
    trials: list[Trial] = []
    part: Tried = Tried()
    hiding = [remedy for remedy in remedies if remedy.hides and all(one.remedies != (remedy,) for one in known)]
    for remedy in [remedy for remedy in remedies if not remedy.hides][:MOST_TRIALS]:
        before = next((trial for trial in known if trial.remedies == (remedy,)), None)
        if before is not None:
            trials.append(before)
            continue
        if runner.left < 2:
            break
        trial, rest = _try(runner, (remedy,), a, b, min(runs, runner.left))
        trials.append(trial)
        if trial.works:
            return Tried(trials=tuple(trials))
        if rest is not None and part.works_in_part is None:
            part = Tried(works_in_part=remedy, rest=rest)
    usable = [trial.remedies[0] for trial in trials if not trial.failed]
    if len(usable) > 1 and part.rest is None:
        trials += _together(runner, usable, a, b, runs)
    if not any(trial.works for trial in trials):  # what hides a cause is tried only where nothing else works
        for remedy in hiding[: max(0, MOST_TRIALS - len(usable))]:
            if runner.left >= 2:
                trials.append(_try(runner, (remedy,), a, b, min(runs, runner.left))[0])
    return replace(part, trials=tuple(trials))


def try_for_all(runner: ExperimentRunner, by_cause: Sequence[Sequence[Remedy]], a: Evidence, b: Evidence) -> Tried:
    """Of several causes the likeliest remedy of each, all at once; then others in their places."""
    best = [next((one for one in some if not one.hides), some[0]) for some in by_cause if some]
    if not best or len(best) < len(by_cause) or runner.left < 2:
        return Tried()
    trials = [_try(runner, tuple(dict.fromkeys(best)), a, b, 2)[0]]
    for index, some in enumerate(by_cause):
        for other in some:
            if any(trial.works for trial in trials) or runner.left < 2 or len(trials) >= MOST_TRIALS:
                break
            if other is not best[index]:
                changed = (*best[:index], other, *best[index + 1 :])
                trials.append(_try(runner, tuple(dict.fromkeys(changed)), a, b, 2)[0])
    return Tried(trials=tuple(trials))


def hold_of(remedy: Remedy) -> Hold:
    """What holds a cause constant that this remedy fixes. Constants at several lines add up."""
    return Hold(
        settings=remedy.settings,
        environment=remedy.environment,
        overrides=tuple((name, value) for name, value in remedy.overrides if name != "frozen"),
        edits=remedy.edits,
        frozen=tuple(dict(remedy.overrides).get("frozen", ())),
    )


def _together(runner: ExperimentRunner, remedies: list[Remedy], a: Evidence, b: Evidence, runs: int) -> list[Trial]:
    """All at once; where that works, each is left out in turn as long as the rest still works."""
    if runner.left < runs:
        return []
    best, _ = _try(runner, tuple(remedies), a, b, runs)
    if not best.works:
        return [best]
    for remedy in remedies:
        fewer = tuple(one for one in best.remedies if one is not remedy)
        if len(fewer) < 2 or runner.left < runs:
            break
        trial, _ = _try(runner, fewer, a, b, runs)
        best = trial if trial.works else best
    return [best]


def _try(
    runner: ExperimentRunner, remedies: tuple[Remedy, ...], a: Evidence, b: Evidence, runs: int
) -> tuple[Trial, tuple[Evidence, Evidence] | None]:
    """Runs with the environment factors of both runs that differed, to the end, with the remedies in force and nothing
    else. Of three the first two have equal factors; where only the third differs, both that do are given back."""
    if any(_is_of_a_launcher(edit, runner, a) for remedy in remedies for edit in remedy.edits):
        return Trial(remedies=remedies, agreed=0, runs=0, failed=_OUT_OF_REACH), None
    hold = Hold()
    for remedy in remedies:
        hold = hold + hold_of(remedy)
    references = (a, b) if runs == 2 else (a, a, b)[:runs]
    specs = [runner.spec(reference, hold=hold, against=()) for reference in references]
    names = " and ".join(remedy.text for remedy in remedies)
    # The first that differs ends the trial.
    ran = runner.run_in_turn(f"trying {names}", specs, lambda ran: runner.agree(ran[0], ran[-1], None) is True)
    failed = why_failed(*ran)
    agreed = 1 + sum(runner.agree(ran[0], other, None) is True for other in ran[1:])
    trial = Trial(
        remedies=remedies,
        agreed=0 if failed else agreed,
        runs=len(ran),
        failed=failed,
        time_ratio=_ratio([one for one in ran if isinstance(one, Evidence)], (a, b)),
        # Of three the first two have equal factors: no other factor is to blame where they differ.
        as_early=len(references) == 3 and len(ran) == 2 and _differs_as_early(runner, (ran[0], ran[1]), (a, b)),
    )
    first, last = ran[0], ran[-1]
    if len(ran) == 3 and agreed == 2 and isinstance(first, Evidence) and isinstance(last, Evidence):
        return trial, (first, last)
    return trial, None


def _differs_as_early(runner: ExperimentRunner, tried: tuple[Ran, Ran], plain: tuple[Evidence, Evidence]) -> bool:
    one, other = tried
    if isinstance(one, Outcome) or isinstance(other, Outcome):
        return False
    difference = first_difference(one, other, runner.request, None)
    return difference is not None and when(difference) <= when(first_difference(*plain, runner.request, None))


def _is_of_a_launcher(edit: Edit, runner: ExperimentRunner, run: Evidence) -> bool:
    """Whether the line is in a script that a launcher hands to the interpreter in each rank."""
    if runner.rank is None and not run.ranks:
        return False
    scripts = {os.path.realpath(run.spec.cwd / word) for word in runner.request.target.argv}
    return os.path.realpath(edit.path) in scripts


def _ratio(tried: Iterable[Evidence], plain: Iterable[Evidence]) -> float | None:
    """Median time of a step against that of the plain runs; None where there are too few steps, or where runs of one
    setting are as far apart."""
    times = [[_step_seconds(evidence) for evidence in group] for group in (tried, plain)]
    if not all(times) or any(time is None for group in times for time in group):
        return None
    return price([time for time in times[0] if time is not None], [time for time in times[1] if time is not None])


def price(tried: Sequence[float], plain: Sequence[float]) -> float | None:
    """The ratio of two groups of times; None where it may be noise."""
    if min(map(len, (tried, plain))) < 2 or min(*tried, *plain) <= 0:
        return None
    ratio = statistics.median(tried) / statistics.median(plain)
    noise = max(max(group) / min(group) for group in (tried, plain))
    return ratio if max(ratio, 1 / ratio) > max(LEAST_PRICE, noise**2) else None


def _step_seconds(evidence: Evidence) -> float | None:
    steps = count_steps(evidence.steps)
    return evidence.stepping / (steps - 1) if steps > 2 and evidence.stepping > SHORTEST else None
