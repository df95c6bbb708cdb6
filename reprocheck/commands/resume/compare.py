"""The resumed run held against the one that was not stopped, step by step from where it resumed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reprocheck.commands.resume.align import state_before
from reprocheck.commands.resume.causes import find_causes
from reprocheck.commands.resume.kept import compare_outputs, compare_saves
from reprocheck.commands.resume.model import Alignment, Compared, Difference, History, Restored, StepState
from reprocheck.commands.resume.steps import differing_kinds, generators_off, models_off, numbers_text, scalers_text
from reprocheck.model import Evidence, NotCompared, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What is known of one run that went to its end."""

    evidence: Evidence
    history: History


def compare_resumed(through: Ran, resumed: Ran, alignment: Alignment, request: Request) -> Compared:
    """The first difference from the resumption on, what was restored, and why they diverge."""
    a, b, k = through.history, resumed.history, alignment.step
    difference = _at_start(a, b, k) or first_difference(a.steps[k:], b.steps, k)
    compared = ["steps"]
    missing: list[NotCompared] = []
    notes: list[str] = []
    left, taken = len(a.steps) - k, len(b.steps)
    stopped = request.settings.max_steps is not None
    if difference is None and left != taken and not stopped:
        counted = f"{taken} steps after the resumption, {left} in the run that was not stopped"
        difference = Difference(step=k + min(left, taken), kind="number of steps", detail=counted)
    if stopped:
        missing.append(NotCompared(what="outputs", reason="runs were ended after --max-steps"))
    saves, numbers = compare_saves(a.saves, b.saves, k, compared, missing)
    notes += [f"numbers in saved files differ, which decides nothing: {numbers}"] if numbers else []
    if difference is None and saves:
        difference = saves
    if difference is None and not stopped:
        difference = compare_outputs(through.evidence, resumed.evidence, request, compared, missing, notes)
    restored = tuple(_restored(a, b, k, stopped))
    causes = () if difference is None else find_causes(a, b, k, difference, count_decides=not stopped)
    off = sorted(set(_generators_off(a.steps[k:], b.steps)))
    if off and difference is None:
        notes.append(f"generators in a different state, without any effect: {', '.join(off)}")
    return Compared(
        difference=difference,
        restored=restored,
        causes=causes,
        compared=tuple(compared),
        not_compared=tuple(dict.fromkeys(missing)),
        notes=tuple(notes),
    )


def first_difference(a: tuple[StepState, ...], b: tuple[StepState, ...], offset: int) -> Difference | None:
    """The first step in which the two part, as far as both went."""
    for index, (left, right) in enumerate(zip(a, b, strict=False)):
        for kind, detail in differing_kinds(left, right):
            return Difference(step=offset + index, kind=kind, detail=detail)
    return None


def _at_start(a: History, b: History, k: int) -> Difference | None:
    """What differs before the first step is taken."""
    parameters, state = state_before(a, k)
    start = b.starts[0]
    if start.parameters != parameters:
        return Difference(step=k, kind="parameters", detail="right after the resumption")
    if start.state != state:
        return Difference(step=k, kind="optimizer state", detail="right after the resumption")
    return None


def _restored(a: History, b: History, k: int, stopped: bool) -> Iterator[Restored]:
    """The kinds of state one by one, at the first step after the resumption."""
    parameters, state = state_before(a, k)
    start, ours, theirs = b.starts[0], b.steps[0], a.steps[k]
    yield Restored(what="parameters", same=start.parameters == parameters)
    empty = "empty" if not start.entries else "a different state"
    same = start.state == state
    yield Restored(what="optimizer state", same=same, detail="" if same else empty)
    if ours.rates or theirs.rates:
        same = ours.rates == theirs.rates
        detail = "" if same else f"{numbers_text(ours.rates)}, was to be {numbers_text(theirs.rates)}"
        yield Restored(what="learning rate", same=same, detail=detail)
    if ours.rates == theirs.rates:
        yield Restored(what="optimizer settings", same=ours.hyperparameters == theirs.hyperparameters)
    if ours.scalers or theirs.scalers:
        same = ours.scalers == theirs.scalers
        yield Restored(what="gradient scaler", same=same, detail="" if same else scalers_text(ours, theirs))
    if any(model.buffers for model in ours.models):
        yield _buffers(ours, theirs, start.parameters == parameters)
    for what, field in (("mode of the model", "evaluating"), ("trained parameters", "frozen")):
        off = [model.label for model in models_off(theirs, ours, field)]
        yield Restored(what=what, same=not off, detail=", ".join(off))
    others = [model for model in ours.models if not model.owned]
    if others:
        off = [model.label for model in models_off(theirs, ours, "parameters") if not model.owned]
        yield Restored(what="models without optimizer", same=not off, detail=", ".join(off))
    if ours.batch or theirs.batch:
        yield Restored(what="batch", same=ours.batch == theirs.batch)
    if ours.generators:
        off = generators_off(theirs, ours)
        yield Restored(what="generators", same=not off, detail=", ".join(off))
    left = len(a.steps) - k
    if not stopped:
        same = left == len(b.steps)
        yield Restored(what="steps left", same=same, detail="" if same else f"{len(b.steps)}, was to be {left}")


def _buffers(ours: StepState, theirs: StepState, parameters_equal: bool) -> Restored:
    """Seen only after the step, which changes them."""
    off = [model.label for model in models_off(theirs, ours, "buffers")]
    if off and not (parameters_equal and ours.batch == theirs.batch):
        return Restored(what="buffers", same=None, detail="the step itself was another")
    return Restored(what="buffers", same=not off, detail=", ".join(off))


def _generators_off(a: tuple[StepState, ...], b: tuple[StepState, ...]) -> Iterator[str]:
    for left, right in zip(a, b, strict=False):
        yield from generators_off(left, right)
