"""The steps of two runs, as far as each is known: records step by step, marks at every k-th, or one digest. Pure."""

from __future__ import annotations

from reprocheck.compare.baseline.snapshot import mark_at
from reprocheck.compare.runs import ELSEWHERE
from reprocheck.compare.steps import compare_steps, hashed_elsewhere
from reprocheck.model.baseline import First, PartState, State, Steps
from reprocheck.model.kinds import Stage

_WHAT = "steps"


def compare_history(a: Steps, b: Steps) -> tuple[PartState, First | None]:
    """Whether the steps agree, and between which steps they diverge."""
    if not a.observed and not b.observed:
        return PartState(what=_WHAT, state=State.NOT_COMPARED, reason="no step was seen"), None
    if (a.observed, a.count, a.digest) == (b.observed, b.count, b.digest):
        return PartState(what=_WHAT, state=State.SAME), None
    differs = PartState(what=_WHAT, state=State.DIFFERENT)
    if a.records and b.records and hashed_elsewhere(a.records, b.records):
        return PartState(what=_WHAT, state=State.NOT_COMPARED, reason=ELSEWHERE), None
    if a.records and b.records:
        found, _ = compare_steps(a.records, b.records, a.keys, b.keys)
        if found is None:
            return PartState(what=_WHAT, state=State.SAME), None
        kind = "number of steps" if found.kind == "steps" else found.kind
        return differs, First(stage=Stage.STEP, kind=kind, low=found.step, high=found.step, note=_counts(a, b))
    return differs, _bounded(a, b)


def _bounded(a: Steps, b: Steps) -> First:
    """The last mark at which both agree, and the first at which they do not."""
    low, high = 0, None
    known = dict(a.marks) | dict(b.marks)
    for step in sorted(known):
        if step >= min(a.count, b.count):
            break
        left, right = _mark(a, step), _mark(b, step)
        if left and right and left != right:
            high = step
            break
        if left and right:
            low = step + 1
    notes = [_counts(a, b)]
    if max(a.optimizers, b.optimizers) > 1:
        notes.append("several optimizers step: they are placed by the order of the run")
    note = "; ".join(filter(None, notes))
    if not known:
        return First(stage=Stage.STEP, note=note)
    if high is None and a.count != b.count:
        last = min(a.count, b.count)
        kind = "number of steps" if low == last else ""
        return First(stage=Stage.STEP, kind=kind, low=low, high=last, note=note)
    if high is None:  # the steps that are known agree
        beyond = "after the last step that is known to agree" + (f" ({low - 1})" if low else "")
        return First(stage=Stage.STEP, note="; ".join(filter(None, [beyond, note])))
    return First(stage=Stage.STEP, low=low, high=high, note=note)


def _mark(steps: Steps, step: int) -> str:
    if steps.records:
        return mark_at(steps.records, step)
    return dict(steps.marks).get(step, "")


def _counts(a: Steps, b: Steps) -> str:
    return f"{a.count} steps against {b.count}" if a.count != b.count else ""
