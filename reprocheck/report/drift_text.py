"""Whether a difference matters, in one sentence with its figures. Nothing is said that was not measured."""

from __future__ import annotations

import math

from reprocheck.compare.growth import LEAST_POINTS
from reprocheck.compare.metric_ends import metric_ends
from reprocheck.engine.console import clip
from reprocheck.model import Audit
from reprocheck.model.drift import Drift, DriftAnswer, Floor, Growth, Jump, Law, MetricEnd, Size, Trend
from reprocheck.report.wording import count


def drift_sentence(audit: Audit) -> str:
    """Empty where there is no answer."""
    answer = None if audit.explanation is None else audit.explanation.drift
    if answer is None:
        return ""
    if answer.drift is None or answer.drift.first is None:
        return f"not known: {answer.reason}"
    if answer.growth.trend is Trend.NONE:
        return _without_parameters(answer.drift)
    ends = [end for end in metric_ends(audit.seeds, answer.seed) if end.in_std is not None]
    return f"{_trend(answer.growth)}{_end(answer.growth, ends)}{floor_text(answer.floor)}"


def _without_parameters(drift: Drift) -> str:
    curves = {"loss": drift.loss, "gradients": drift.gradients}
    if not drift.parameters.steps and any(drift.unmatched):
        return "not known: no parameter has the same name, shape and dtype in both runs"
    found = [f"{name} by at most {max(curve.distances):.2g}" for name, curve in curves.items() if any(curve.distances)]
    return f"no parameter differs after any step that was compared, only the {' and the '.join(found) or 'rest'}"


def _trend(growth: Growth) -> str:
    steps = growth.last_step - growth.first_step
    if growth.trend is Trend.NOT_FINITE:
        return "one of the runs ends in values that are no numbers"
    if growth.trend is Trend.GROWS and growth.law is None:
        far = growth.end_step - growth.first_step
        steady = ", at no steady rate," if far >= LEAST_POINTS else ""
        return f"the difference grows {growth.end / growth.start:.2g}-fold in {count(far, 'step')}{steady}"
    if growth.trend is Trend.GROWS:
        return f"the difference {_rate(growth, steps, 'doubles', 'grows')}{', then stays' if growth.saturated else ''}"
    if growth.trend is Trend.SHRINKS:
        return f"the difference {_rate(growth, steps, 'halves', 'shrinks')}"
    if growth.trend is Trend.DIES_OUT:
        rate = f"{_rate(growth, steps, 'halves', 'shrinks')} and " if growth.law is Law.EXPONENTIAL else ""
        equal = "" if growth.equal_from is None else f": from step {growth.equal_from} on the values are equal again"
        return f"the difference {rate}dies out{equal}"
    if growth.law is None:
        return f"the difference has {count(growth.end_step - growth.first_step + 1, 'step')}, too few for a rate,"
    return "the difference neither clearly grows nor dies out"


def _rate(growth: Growth, steps: int, doubles: str, grows: str) -> str:
    """A time to double only where it did so within the steps that were seen."""
    if growth.law is Law.POWER:
        return f"{grows} with the steps to the power of {growth.rate:.2g} ({growth.low:.2g} to {growth.high:.2g})"
    rates = sorted(abs(rate) for rate in (growth.low, growth.rate, growth.high))
    if growth.law is Law.EXPONENTIAL and rates[1] * steps >= math.log(2) and rates[0] > 0:
        low, middle, high = (math.log(2) / rate for rate in reversed(rates))
        span = "" if f"{low:.2g}" == f"{high:.2g}" else f" ({_number(low)} to {_number(high)})"
        unit = "step" if _number(middle) == "1" else "steps"
        return f"{doubles} every {_number(middle)} {unit}{span}"
    factor = math.exp(abs(growth.rate) * steps)
    return f"{grows} {factor:.2g}-fold in {count(steps, 'step')}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 99.5 else f"{value:.2g}"


def _end(growth: Growth, ends: list[MetricEnd]) -> str:
    if growth.trend is Trend.NOT_FINITE or growth.equal_from is not None:
        return ""
    text = f" and ends at {growth.end:.2g} of the norm of the parameters"
    if ends:
        worst = max(ends, key=lambda end: end.in_std or 0.0)
        over = count(worst.seeds, "seed")
        text += f", `{clip(worst.name)}` at {worst.in_std:.2g} of one standard deviation over {over}"
    return text


def floor_text(floor: Floor) -> str:
    """The end of the sentence."""
    if not floor.twins or floor.size is Size.UNKNOWN or floor.onset is None:
        return f"; what rounding alone does is not known: {floor.reason}" if floor.reason else ""
    twins = count(floor.twins, "twin")
    few = f" of {floor.wanted}: {floor.reason}" if floor.reason else ""
    held = ", with the cause held constant" if floor.held else ""
    measured = f"({twins}{few}{held})"
    end = "" if floor.end is None else times(floor.end)
    if floor.size is Size.WITHIN:
        return f": within what rounding does here, {end} what one ULP comes to {measured}"
    if floor.size is Size.BEYOND:
        as_far = floor.end is not None and floor.end < 10
        late = "; at the end one ULP comes about as far" if as_far else ""
        return f": where it begins it is {times(floor.onset)} what one ULP does: not rounding {measured}{late}"
    return (
        f": where it begins it is {times(floor.onset)} what one ULP does, at the end {end or 'unknown'}: "
        f"neither clearly rounding nor clearly more {measured}"
    )


def times(ratio: float) -> str:
    """`400 times`, `1e-05 times`."""
    if ratio == math.inf:
        return "any number of times"
    return f"{float(f'{ratio:.2g}'):,.0f} times" if 10 <= ratio < 1e9 else f"{ratio:.2g} times"


def jump_text(jump: Jump) -> str:
    """What a step did that is no growth; empty where nothing can be said of it."""
    if not jump.signs:
        return ""
    return (
        f"step {jump.step} took the difference from {jump.before:.1g} to {jump.after:.1g}: gradients near zero changed "
        f"sign, and the optimizer moves such parameters by its learning rate; that is no growth"
    )


def drift_notes(answer: DriftAnswer) -> list[str]:
    """What a reader needs with the sentence."""
    notes = [] if answer.growth.jump is None else [jump_text(answer.growth.jump)]
    if answer.drift is not None and not answer.reproduces:
        notes.append("runs with everything equal differ, too: those compared by value are others than the audit's own")
    if answer.drift is not None and any(answer.drift.unmatched):
        one, other = answer.drift.unmatched
        text = f"{count(one, 'parameter')} of one run and {other} of the other"
        notes.append(f"{text} have no counterpart of the same name, shape and dtype: they were not compared by value")
    if answer.drift is not None and answer.drift.full is not None:
        notes.append(f"there was no room for values from step {answer.drift.full} on")
    return [note for note in notes if note]
