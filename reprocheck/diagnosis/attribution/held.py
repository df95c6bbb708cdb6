"""Whether runs agree with something held constant, and whether that is hardly luck."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reprocheck.diagnosis.attribution.environment import varied_factors
from reprocheck.diagnosis.attribution.log import RESERVED, ExperimentLog
from reprocheck.diagnosis.experiments import why_failed
from reprocheck.evidence.run import Ran
from reprocheck.model import Evidence, Instruments, RunSpec
from reprocheck.model.explanation import Arm, Hold
from reprocheck.model.kinds import AttributionKind

FILLED = "filled heap"
"""The experiment that fills fresh memory: a race that happened to agree would look like it."""
LUCK = 0.1
"""How likely an experiment may come out as it did though what it asks is not so."""
MOST_REPEATS = 3
"""Further runs of an experiment whose agreement may be luck."""


@dataclass(frozen=True, slots=True)
class Held:
    """What came out with something held constant."""

    arm: Arm
    sure: bool
    """Whether the agreement is hardly luck."""
    run: Ran

    @property
    def same(self) -> bool:
        """Whether all runs agree."""
        return self.arm.same


@dataclass(frozen=True, slots=True, kw_only=True)
class NotEnough:
    """What was held constant and did not make the runs agree, with two of them."""

    name: str
    hold: Hold
    kind: AttributionKind
    factors: tuple[str, ...]
    one: Evidence
    other: Evidence


class HoldExperiments:
    """Experiments that hold something constant, and what of it was not enough by itself."""

    def __init__(self, log: ExperimentLog) -> None:
        self.log = log
        self.not_enough: list[NotEnough] = []

    def hold(
        self,
        name: str,
        question: str,
        hold: Hold,
        kind: AttributionKind = AttributionKind.UNCLEAR,
        factors: Iterable[str] = (),
        *,
        ledger: bool = False,
    ) -> Held:
        """Those with equal environment factors come first; one with the factors of run b shows whether there is another
        cause. Each comes from a process that none of the others was forked from: a repeat that shares its addresses
        would be none. `ledger`: write down what the runs take from outside."""
        log, runner = self.log, self.log.runner
        hold_all = runner.hold + hold

        def spec(reference: Evidence) -> RunSpec:
            seen = Instruments(ledger=ledger)
            return runner.spec(reference, limit=log.limit, hold=hold_all, against=ran, instruments=seen)

        ran: list[Ran] = []
        ran = runner.run(question, [spec(log.a), spec(log.a)])
        outcomes = [log.agree(ran[0], ran[1])]
        if outcomes[0]:
            is_varied = runner.left > 1 and varied_factors(log)
            other = runner.run(question, [spec(log.b)])[0] if is_varied else None
            across = None if other is None else log.agree(ran[0], other)
            if across:
                outcomes.append(True)
            elif across is False and isinstance(ran[0], Evidence) and isinstance(other, Evidence):
                log.rest = ran[0], other
        while all(outcomes) and log.luck(outcomes) > LUCK and runner.left > RESERVED and len(ran) < 2 + MOST_REPEATS:
            ran += runner.run(question, [spec(log.a)])
            outcomes.append(log.agree(ran[0], ran[-1]))
        arm = log.arm(name, question, len(ran), outcomes, why_failed(*ran))
        one, twin, *_ = ran
        if not arm.same:
            log.rest = None
            if isinstance(one, Evidence) and isinstance(twin, Evidence):
                parts = NotEnough(name=name, hold=hold, kind=kind, factors=tuple(factors), one=one, other=twin)
                self.not_enough.append(parts)
        return Held(arm, log.luck(outcomes) <= 2 * LUCK, one)
