"""The table of contents of an explanation: localize → attribute → diagnose → try fixes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from reprocheck.diagnosis.agree import first_difference
from reprocheck.diagnosis.experiments import ExperimentRunner
from reprocheck.diagnosis.explanation.answer import (
    does_it_matter,
    explanation_of,
    in_short,
    other_findings,
    settled_findings,
    working_edits,
)
from reprocheck.diagnosis.explanation.remaining import (
    ENOUGH_FOR_ANOTHER,
    has_alternatives,
    held_constant,
    hidden_seeds,
    is_refuted,
    joined,
    look_behind,
    may_remain,
    try_fixes,
    try_further,
    unseen_causes,
    what_remains,
)
from reprocheck.diagnosis.explanation.rounds import (
    Round,
    findings_of,
    further_round,
    is_known,
    is_shown,
    look,
    without_lines,
)
from reprocheck.diagnosis.remedy import try_remedies
from reprocheck.diagnosis.rules import remedies
from reprocheck.diagnosis.source.scan import scan
from reprocheck.engine.plan import Planner
from reprocheck.engine.progress import Progress
from reprocheck.engine.templates import MOST_IDLE, Templates
from reprocheck.model import Divergence, Evidence, Finding, as_rank
from reprocheck.model.explanation import Explanation, Trial
from reprocheck.model.kinds import AttributionKind, Confidence, Severity

MOST_CAUSES = 4
"""Rounds of looking for what else there is."""


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
    rounds: list[Round] = []
    trials: list[Trial] = []
    pair: tuple[Evidence, Evidence] | None = (a, b)
    done = False
    while pair is not None and len(rounds) < MOST_CAUSES:
        difference = divergence if not rounds else first_difference(*pair, runner.request, None)
        if difference is None or (rounds and runner.left < ENOUGH_FOR_ANOTHER):
            break
        one, pair = look(runner, *pair, difference, hits, again=bool(rounds))
        if rounds and (one.attribution.kind == AttributionKind.UNCLEAR or is_known(one, rounds)):
            break
        rounds.append(one)
        for finding in findings_of([one]):
            if finding.severity == Severity.ERROR and finding.confidence == Confidence.HIGH:
                runner.tell(in_short(finding))
        if pair is not None:
            continue
        tried = try_fixes(runner, rounds, a, b)
        trials = joined(trials, tried)
        done = any(trial.works for trial in trials)
        if not done:
            pair, done = what_remains(runner, one, tried, a, b)
        if pair is None and has_alternatives(rounds) and not any(trial.works for trial in trials):
            tried = try_remedies(runner, remedies(one.cases[0]), a, b, one.attribution, known=trials)
            trials = joined(trials, tried)
    unseen = () if done else unseen_causes(rounds)
    if unseen:
        rounds = [*(one for one in rounds if one is rounds[0] or is_shown(one)), *unseen]
        tried = try_fixes(runner, rounds, a, b)
        trials = joined(trials, tried)
        done = any(trial.works for trial in trials)
    if is_refuted(rounds, trials):
        rounds[0], done = without_lines(rounds[0]), False
    unexplained = ""
    if done:
        had_worked = any(trial.works for trial in trials)
        rounds, trials, unexplained = look_behind(runner, rounds, trials, hits, a, b)
        done = not had_worked or any(trial.works for trial in trials)
    further = try_further(runner, rounds, trials, hits, a, b) if done else ()
    rounds += [further_round(rounds[0], one) for one in further if one.attribution is not None]
    hidden = hidden_seeds(planner, runner, rounds, held_constant(runner, trials) if done else None, (a, b))
    not_shown = may_remain(runner, rounds, done, further, unexplained)
    found = settled_findings(findings_of(rounds, working_edits(trials)), trials)
    explanation = explanation_of(runner, rounds, trials, not_shown, a.spec.seed)
    answer = does_it_matter(runner, rounds, trials, a, b, divergence)
    return Explained(
        explanation=replace(explanation, drift=answer, runs=runner.spent),
        causes=tuple(one for one in found if one.severity == Severity.ERROR),
        others=other_findings(found, hidden),
    )
