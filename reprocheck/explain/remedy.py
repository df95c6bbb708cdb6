"""Try fixes: the candidates for real, the cheapest first, alone and then together, reduced to a smallest set."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace

from reprocheck.explain.lab import Lab, Ran, why_failed
from reprocheck.explain.model import Attribution, Remedy, Trial
from reprocheck.model import Evidence, Probe, Settings
from reprocheck.protocol import count_steps

MOST_TRIALS = 4
RARE_RUNS = 3
"""Runs of a trial where a difference does not show in every pair: two may agree by luck."""


def try_remedies(
    lab: Lab, remedies: Sequence[Remedy], a: Evidence, b: Evidence, attribution: Attribution | None
) -> tuple[Trial, ...]:
    """Each alone until one mends; if none does, all together, then without what is not needed."""
    runs = RARE_RUNS if attribution is not None and attribution.kind in ("intrinsic", "unclear") else 2
    trials: list[Trial] = []
    for remedy in remedies[:MOST_TRIALS]:
        if lab.left < 2:
            break
        trials.append(_try(lab, (remedy,), a, b, min(runs, lab.left)))
        if trials[-1].mends and not remedy.hides:
            return tuple(trials)
    usable = [trial.remedies[0] for trial in trials if not trial.failed and not trial.mends]
    if len(usable) > 1 and not any(trial.mends for trial in trials):
        trials += _together(lab, usable, a, b, runs)
    return tuple(trials)


def _together(lab: Lab, remedies: list[Remedy], a: Evidence, b: Evidence, runs: int) -> list[Trial]:
    """All at once; where that mends, each is left out in turn as long as it still mends."""
    if lab.left < runs:
        return []
    best = _try(lab, tuple(remedies), a, b, runs)
    if not best.mends:
        return [best]
    for remedy in remedies:
        fewer = tuple(one for one in best.remedies if one is not remedy)
        if len(fewer) < 2 or lab.left < runs:
            break
        trial = _try(lab, fewer, a, b, runs)
        best = trial if trial.mends else best
    return [best]


def _try(lab: Lab, remedies: tuple[Remedy, ...], a: Evidence, b: Evidence, runs: int) -> Trial:
    """Runs with the ambient factors of both runs that differed, to the end, with the remedies in force."""
    settings, probe = lab.request.settings, Probe(ledger=False)
    for remedy in remedies:
        settings = _with(settings, remedy)
        probe = replace(probe, **dict(remedy.overrides), edits=(*probe.edits, *remedy.edits))
    references = (a, b, a)[:runs]
    specs = [lab.spec(reference, settings=settings, probe=probe) for reference in references]
    names = " and ".join(remedy.text for remedy in remedies)
    ran: list[Ran] = []
    for spec in specs:  # one after the other: the first that differs ends the trial
        ran += lab.run(f"trying {names}", [spec])
        if lab.agree(ran[0], ran[-1], None) is not True:
            break
    failed = why_failed(*ran)
    agreed = 1 + sum(lab.agree(ran[0], other, None) is True for other in ran[1:])
    return Trial(
        remedies=remedies,
        agreed=0 if failed else agreed,
        runs=len(ran),
        failed=failed,
        time_ratio=_ratio([one for one in ran if isinstance(one, Evidence)], (a, b)),
    )


def _with(settings: Settings, remedy: Remedy) -> Settings:
    settings = replace(settings, **dict(remedy.settings))
    return replace(settings, env=(*settings.env, *remedy.environment))


def _ratio(tried: Iterable[Evidence], plain: Iterable[Evidence]) -> float | None:
    """Median time of a step against that of the plain runs; of the whole run where there are too few steps."""
    times = [[_step_seconds(evidence) for evidence in group] for group in (tried, plain)]
    if not all(times) or any(time is None for group in times for time in group):
        return None
    ours, theirs = (statistics.median([time for time in group if time is not None]) for group in times)
    return ours / theirs if theirs > 0 else None


def _step_seconds(evidence: Evidence) -> float | None:
    steps = count_steps(evidence.steps)
    return evidence.stepping / (steps - 1) if steps > 2 and evidence.stepping > 0 else None
