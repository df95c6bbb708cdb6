"""What all experiments on one difference share: its runs, what was seen of them, and what came out so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from reprocheck.diagnosis.agree import first_difference, limit_of, when
from reprocheck.diagnosis.experiments import ExperimentRunner
from reprocheck.diagnosis.replay import Replay
from reprocheck.evidence.run import Ran
from reprocheck.model import Divergence, Evidence
from reprocheck.model.explanation import Arm, Attribution, LedgerEntry, Origin
from reprocheck.model.kinds import OriginKind, SourceKind

FROZEN_KINDS = ("unseeded", "entropy", "pid", "clock")
"""What can be held constant, the likeliest first."""
CONTROLS = ("control", "later control")
"""The experiments with everything equal."""
RESERVED = 4
"""Runs left for trying fixes."""
EQUAL_FACTORS = "does it differ with every environment factor equal?"
LATER_RUNS = "do later runs differ with every environment factor equal?"


@dataclass(slots=True)
class ExperimentLog:
    """The two runs, the experiments on them, and their outcomes."""

    runner: ExperimentRunner
    a: Evidence
    b: Evidence
    divergence: Divergence
    seen: Replay
    limit: int | None = field(init=False)
    """How many steps a further run has to make."""
    upto: Divergence | None = None
    """Experiments ask only whether runs agree up to there. None: within `limit`."""
    plain: list[tuple[Ran, Ran, bool | None]] = field(default_factory=list)
    """Pairs with every environment factor equal, and whether they agree."""
    arms: list[Arm] = field(default_factory=list)
    rest: tuple[Evidence, Evidence] | None = None
    """Runs that still differ with what was found held constant: there is another cause."""

    def __post_init__(self) -> None:
        self.limit = limit_of(self.divergence)

    @property
    def outcomes(self) -> list[bool]:
        """Of plain pairs: whether they agree."""
        return [outcome for _, _, outcome in self.plain if outcome is not None]

    def outcomes_upto(self) -> list[bool]:
        """The same, where what comes later than `upto` counts as equal."""
        found = []
        for one, twin, outcome in self.plain:
            if outcome is False and self.upto is not None and isinstance(one, Evidence) and isinstance(twin, Evidence):
                found.append(self._parts_later(one, twin))
            elif outcome is not None:
                found.append(outcome)
        return found

    def agree(self, one: Ran, other: Ran) -> bool | None:
        """Whether two runs agree up to where the difference in question stands."""
        same = self.runner.agree(one, other, self.limit)
        if same is False and self.upto is not None and isinstance(one, Evidence) and isinstance(other, Evidence):
            return self._parts_later(one, other)
        return same

    def _parts_later(self, one: Evidence, other: Evidence) -> bool:
        parts = first_difference(one, other, self.runner.request, self.limit)
        return parts is not None and when(parts) > when(self.upto)

    @property
    def is_settled(self) -> bool:
        """An operation of equal inputs gave another result: no file, seed or clock can be the reason."""
        return is_race(self.seen.origin)

    def is_known(self, experiment: str) -> bool:
        """Whether an earlier round showed that what this experiment holds constant is not needed so far."""
        known = self.runner.not_needed
        if experiment not in known:
            return False
        upto = known[experiment]
        return upto is None or (self.limit is not None and self.limit <= upto)

    def rate(self) -> tuple[int, int]:
        """Plain pairs that differ, of all."""
        return self.outcomes.count(False), len(self.outcomes)

    def luck(self, outcomes: Sequence[bool | None]) -> float:
        """How likely so many comparisons agree by chance, by how many plain ones did."""
        differed, total = self.rate()
        return float((1 - (differed + 0.5) / (total + 1)) ** list(outcomes).count(True))

    def answer(self, kind: str, factors: Sequence[str] = (), **more: object) -> Attribution:
        """It rests on all experiments so far."""
        return replace(Attribution(kind=kind, factors=tuple(factors), arms=tuple(self.arms)), **more)  # type: ignore[arg-type]

    def arm(self, name: str, question: str, runs: int, outcomes: Iterable[bool | None], failed: str = "") -> Arm:
        """Write down an experiment."""
        known = [outcome for outcome in outcomes if outcome is not None]
        arm = Arm(
            name=name,
            question=question,
            runs=runs,
            agreed=known.count(True),
            differed=known.count(False),
            failed=failed or ("" if known else "no evidence"),
        )
        self.arms.append(arm)
        return arm

    def entries(self, *kinds: str) -> list[LedgerEntry]:
        """What the traced run did of these kinds before the difference."""
        return [
            entry
            for entry in self.seen.entries
            if kind_of(entry) in kinds and (self.limit is None or entry.step < self.limit)
        ]


def is_race(origin: Origin | None) -> bool:
    """Whether an operation of equal inputs gave another result."""
    return origin is not None and origin.kind == OriginKind.OP and not origin.unknown_inputs


def place_of(origin: Origin | None) -> object:
    """The operation and the line where two runs diverge; None where that is not known."""
    if origin is None or not origin.call.frames:
        return None
    return origin.call.op, origin.call.frames[0].location


def kind_of(entry: LedgerEntry) -> str:
    """A generator that is seeded from the system's entropy is as good as made without a seed."""
    return "unseeded" if entry.kind == SourceKind.SEED and entry.value == "entropy" else entry.kind
