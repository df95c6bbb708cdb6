"""Does a difference matter? Both runs again with a sketch of their values, and twins moved by one ULP next to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reprocheck.compare.drift import compare_sketches
from reprocheck.compare.floor import against_floor, floor_of
from reprocheck.compare.growth import growth_of
from reprocheck.diagnosis.agree import has_step
from reprocheck.diagnosis.experiments import ExperimentRunner, why_failed
from reprocheck.evidence.run import EvidenceUnreadable, Ran
from reprocheck.evidence.sketch_file import load_sketch
from reprocheck.model import Divergence, Evidence, Instruments, Nudge, SketchWindow
from reprocheck.model.drift import Drift, DriftAnswer, Floor, Sketch, Trend
from reprocheck.model.explanation import Hold
from reprocheck.model.kinds import Stage
from reprocheck.protocol import KIND_COUNT, RECORD_SIZE, count_steps, digest_at

TWINS = 5
LEAST_STEPS = 10
"""Steps from the first difference on, without which nobody asks by himself: there is no growth to see."""
OBVIOUS = 1e4
"""Times the floor where the difference begins: more twins would not change what is said."""


def follow_drift(
    runner: ExperimentRunner, a: Evidence, b: Evidence, divergence: Divergence, fix: Hold | None, *, asked: bool
) -> DriftAnswer | None:
    """How far two runs of one seed come from each other, and whether rounding alone does that. `fix`: with it runs
    agree. None where there is nothing to follow and nobody asked. Raises Interrupted."""
    before = runner.spent
    first = _first_step(divergence)
    common = min(count_steps(a.steps), count_steps(b.steps))
    if first is None or common <= first:
        why = "no value of a step differs: there is nothing to follow"
        return DriftAnswer(seed=a.spec.seed, reason=why) if asked else None
    if not asked and common - first < LEAST_STEPS:
        return None
    if runner.left < 2:
        return DriftAnswer(seed=a.spec.seed, reason=_spent(runner))
    following = _Following(runner, a, SketchWindow(first=first, last=common - 1), fix)
    return replace(following.answer(b), runs=runner.spent - before)


def _first_step(divergence: Divergence) -> int | None:
    if divergence.stage == Stage.INIT:
        return divergence.step or 0
    return divergence.step if has_step(divergence) else None


def _spent(runner: ExperimentRunner) -> str:
    return f"--explain-budget {runner.request.explain_budget} was used up"


_Wanted = tuple[Evidence, Hold, int | None]
"""A run like which one, what is held constant, and the directions of a twin."""


class _Following:
    def __init__(self, runner: ExperimentRunner, a: Evidence, window: SketchWindow, fix: Hold | None) -> None:
        self.runner = runner
        self.a = a
        self.window = window
        self.fix = fix

    def answer(self, b: Evidence) -> DriftAnswer:
        """Both runs again, and what twins do."""
        ran = self._run("how far apart do the values come?", [(self.a, Hold(), None), (b, Hold(), None)], (self.a, b))
        first, other = (self._sketch(one) for one in ran)
        seed = self.a.spec.seed
        if first is None or other is None:
            return DriftAnswer(seed=seed, reason=why_failed(*ran) or "a run left no sketch of its values")
        drift = compare_sketches(first, other)
        reproduces = self._is_same(self.a, ran[0])
        base = DriftAnswer(seed=seed, drift=drift, growth=growth_of(drift), reproduces=reproduces)
        if drift.first is None:
            return replace(base, reason="the difference did not come back in the runs whose values were compared")
        if base.growth.trend is Trend.NONE:  # no parameter differs: nothing that a twin could be compared with
            return base
        return replace(base, floor=self._floor(drift, ran[0], first, reproduces))

    def _floor(self, drift: Drift, ran: Ran, sketch: Sketch, reproduces: bool) -> Floor:
        hold, base = Hold(), Floor(wanted=TWINS, step=self.window.first)
        original = ran
        if not reproduces:
            if self.fix is None:
                return replace(base, reason="runs with everything equal differ from one another, so twins would, too")
            if self.runner.left < 2:
                return replace(base, reason=_spent(self.runner))
            hold, base = self.fix, replace(base, held=True)
            original = self._run("what does it come to with the cause held constant?", [(self.a, hold, None)], ())[0]
            found = self._sketch(original)
            if found is None:
                return replace(base, reason=f"the run with the cause held constant failed: {why_failed(original)}")
            sketch = found
        twins: list[Drift] = []
        made = 0
        while made < TWINS and self.runner.left > 0:
            count = 1 if not made else min(TWINS - made, self.runner.left)
            question = "what does one ULP do?"
            runs = self._run(question, [(self.a, hold, made + one) for one in range(count)], (original,))
            made += count
            for one in runs:
                twin = self._sketch(one)
                if twin is None:
                    return replace(base, reason=f"a twin failed: {why_failed(one) or 'it left no sketch'}")
                if not self._is_same(original, one, self.window.first):
                    return replace(base, reason="a twin differs before it was moved: runs do not reproduce")
                twins.append(compare_sketches(sketch, twin))
            if twins[0].first is None:
                return replace(base, reason="no parameter of a twin could be moved")
            floor = against_floor(drift, twins, floor_of(twins, base))
            if floor.onset is not None and floor.onset >= OBVIOUS * max(1.0, drift.precision / drift.epsilon):
                return replace(floor, wanted=len(twins))
        if not twins:
            return replace(base, reason=_spent(self.runner))
        return replace(floor, reason=_spent(self.runner) if len(twins) < TWINS else "")

    def _run(self, question: str, wanted: Sequence[_Wanted], against: Sequence[Ran]) -> list[Ran]:
        instruments = Instruments(sketch=self.window)
        specs = []
        for reference, hold, key in wanted:
            nudge = None if key is None else Nudge(step=self.window.first, key=key)
            specs.append(self.runner.spec(reference, instruments=instruments, hold=hold, against=against, nudge=nudge))
        return self.runner.run(question, specs)

    def _sketch(self, ran: Ran) -> Sketch | None:
        if not isinstance(ran, Evidence):
            return None
        try:
            return load_sketch(ran.spec.directory)
        except EvidenceUnreadable:
            return None

    def _is_same(self, one: Ran, other: Ran, steps: int | None = None) -> bool:
        """Whether two runs took the same steps, or the same first few."""
        if not isinstance(one, Evidence) or not isinstance(other, Evidence):
            return False
        counts = count_steps(one.steps), count_steps(other.steps)
        if steps is None and counts[0] != counts[1]:
            return False
        last = (counts[0] if steps is None else steps) - 1
        if last < 0:
            return True
        if last >= min(counts):
            return False
        place = slice(last * RECORD_SIZE, (last + 1) * RECORD_SIZE)
        return digest_at(one.steps[place], KIND_COUNT) == digest_at(other.steps[place], KIND_COUNT)
