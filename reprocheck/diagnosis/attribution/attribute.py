"""Attribute: what does the difference depend on? Each experiment changes one thing.

The traced runs are controls already: each has the environment factors of a run of the audit. Where both agree with
their twin, only environment factors can be responsible, and they are found by giving one run the factors of the other.
Where they do not, the target differs with everything equal: then what it takes from outside (files of earlier runs,
clocks, entropy) is held constant, to see whether that makes it agree. That proves something only if plain pairs still
differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reprocheck.diagnosis.attribution.controls import compare_controls, still_differs
from reprocheck.diagnosis.attribution.environment import OUTSIDE, responsible_factors
from reprocheck.diagnosis.attribution.first_run import one_run_alone
from reprocheck.diagnosis.attribution.held import HoldExperiments
from reprocheck.diagnosis.attribution.log import ExperimentLog
from reprocheck.diagnosis.attribution.outside import OutsideExperiments
from reprocheck.diagnosis.attribution.several import Several
from reprocheck.diagnosis.experiments import ExperimentRunner
from reprocheck.diagnosis.replay import Replay
from reprocheck.model import Divergence, Evidence
from reprocheck.model.explanation import Attribution, Hold
from reprocheck.model.kinds import AttributionKind


class Attributor:
    """The experiments on one difference."""

    def __init__(
        self,
        runner: ExperimentRunner,
        a: Evidence,
        b: Evidence,
        divergence: Divergence,
        seen: Replay,
        *,
        again: bool = False,
    ) -> None:
        """`again`: these runs are further ones already, with the first causes held constant."""
        self._log = ExperimentLog(runner, a, b, divergence, seen)
        self._again = again
        holds = HoldExperiments(self._log)
        self._several = Several(holds)
        self._outside = OutsideExperiments(holds, self._several)

    @property
    def rest(self) -> tuple[Evidence, Evidence] | None:
        """Runs that still differ with what was found held constant: there is another cause."""
        return self._log.rest

    @property
    def seen(self) -> Replay:
        """The traced pair that the answer is about: the one given, or one with equal factors that shows a race."""
        return self._log.seen

    @property
    def others(self) -> tuple[Attribution, ...]:
        """What is needed, too, where only several sources together are enough."""
        return self._several.others

    def attribute(self) -> Attribution:
        """The answer, and every experiment that it rests on."""
        log = self._log
        if _calls(log.a) != _calls(log.b):
            return log.answer(AttributionKind.PROCESS, ["process state"])
        compare_controls(log)
        outcomes = log.outcomes
        if not outcomes:
            note = "it did not come back in the further runs"
            return log.answer(AttributionKind.UNCLEAR, rate=(1, 1), note=note)
        first = None if all(outcomes) else self._what_comes_first()
        if first is not None:
            return first
        if all(outcomes):
            return responsible_factors(log) or log.answer(
                AttributionKind.UNCLEAR,
                note="it agrees with every environment factor equal, and none of them was shown to make the difference",
                excluded=OUTSIDE if len(outcomes) > 1 else (),
            )
        if not self._again and not still_differs(log):
            return one_run_alone(log)
        found = self._outside.attribute()
        if found is not None:
            return replace(found, rate=log.rate())
        return log.answer(AttributionKind.INTRINSIC, rate=log.rate())

    def _what_comes_first(self) -> Attribution | None:
        """Where runs with every environment factor equal differ, too, but only later in the run: what differs first has
        a cause of its own. Once that is held constant, the later difference is the next one to look at."""
        log = self._log
        arms = log.arms[:]
        log.upto = log.divergence
        found = responsible_factors(log) if all(log.outcomes_upto()) else None
        log.upto = None
        if found is None or found.hold is None:
            log.arms = arms
            return None
        log.rest = next(
            (one, twin)
            for one, twin, outcome in reversed(log.plain)
            if outcome is False and isinstance(one, Evidence) and isinstance(twin, Evidence)
        )
        return found

    def beside_races(self, races: Sequence[Hold]) -> Attribution | None:
        """Whether there is a race and another cause. `races`: what may mend a race, the likeliest first."""
        return self._several.beside_races(races)


def _calls(evidence: Evidence) -> int:
    """Calls of the target's function in this run's process."""
    return evidence.spec.interventions.calls
