"""Why a resumed run goes another way: what was not restored, claimed only as far as the states show it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reprocheck.commands.resume.align import state_before
from reprocheck.commands.resume.model import Cause, Difference, History, StepState
from reprocheck.commands.resume.steps import differing_kinds, generators_off, models_off, numbers_text, scalers_text
from reprocheck.diagnosis.rules.resume_pages import PAGE_OF

_AVERAGING = "a counter or schedule of the averaging is not restored"
_GIVEN = "the averaged weights were loaded as they had been saved"


def find_causes(a: History, b: History, k: int, difference: Difference, *, count_decides: bool) -> tuple[Cause, ...]:
    """What was not restored, the earliest first. `a` was not stopped; `b` begins at its step `k`."""
    found = [*_shown_at_start(a, b, k), *_data(a, b, k, difference, count_decides)]
    slugs = {cause.slug for cause in found}
    found += [cause for cause in _later(a, b, k) if cause.slug not in slugs]
    if count_decides and "epoch-counter" not in slugs:
        found += _count(a, b, k, difference)
    return tuple(found or [_remaining(a, b, k, difference)])


def cause(slug: str, confidence: str, message: str, *evidence: str) -> Cause:
    """With the help of its page."""
    return Cause(slug=slug, confidence=confidence, message=message, evidence=evidence, help=PAGE_OF[slug].fix)


def _shown_at_start(a: History, b: History, k: int) -> Iterator[Cause]:
    """States that can be looked at right after the resumption."""
    parameters, state = state_before(a, k)
    start, ours, theirs = b.starts[0], b.steps[0], a.steps[k]
    if start.parameters != parameters:
        initial = start.parameters == state_before(a, 0)[0]
        shown = "they are those that the run began with" if initial else "they are those of no step of the other run"
        yield cause("parameters", "high", "the parameters are not restored", shown)
    if start.state != state:
        if not start.entries:
            shown = "it is empty; in the run that was not stopped it is not"
        else:
            shown = "it has entries, but others than those of the run that was not stopped"
        yield cause("optimizer-state", "high", "the state of the optimizer is not restored", shown)
    if ours.rates != theirs.rates:
        sure = "high" if start.state == state else "medium"
        yield cause("scheduler", sure, "the learning rate is not restored", _rates(ours, theirs))
    elif ours.hyperparameters != theirs.hyperparameters:
        shown = "settings of the optimizer other than the learning rate differ"
        yield cause("optimizer-settings", "medium", "settings of the optimizer are not restored", shown)
    if ours.scalers != theirs.scalers:
        yield cause("scaler", "high", "the gradient scaler is not restored", scalers_text(ours, theirs))
    yield from _models(ours, theirs, start.parameters == parameters)


def _models(ours: StepState, theirs: StepState, parameters_equal: bool) -> Iterator[Cause]:
    for slug, what, text, unit in (
        ("mode", "evaluating", "the model is not in the mode that it was in", "modules in evaluation mode"),
        ("frozen", "frozen", "other parameters take gradients", "parameters that take no gradient"),
    ):
        for model in models_off(theirs, ours, what)[:1]:
            was = next((getattr(other, what) for other in theirs.models if other.kind == model.kind), 0)
            shown = f"{unit}, in {model.label}: {getattr(model, what)}, was to be {was}"
            yield cause(slug, "high", text, shown)
    averaged = [model.label for model in models_off(theirs, ours, "parameters") if not model.owned]
    if averaged:
        shown = f"parameters of {', '.join(averaged)}, which no optimizer holds, differ"
        yield cause("ema", "high", "a model other than the trained one is not restored", shown)
    buffers = [model.label for model in models_off(theirs, ours, "buffers") if model.owned]
    same_step = parameters_equal and ours.batch == theirs.batch and ours.loss == theirs.loss
    if buffers and same_step and not models_off(theirs, ours, "evaluating"):
        shown = f"buffers of {', '.join(buffers)} differ after a step with equal parameters and batch"
        yield cause("buffers", "high", "buffers of the model are not restored", shown)


def _data(a: History, b: History, k: int, difference: Difference, count_decides: bool) -> Iterator[Cause]:
    """Batches: another place of the loader, another step or epoch number, or another state of a generator."""
    place = next((i for i, (x, y) in enumerate(zip(a.steps[k:], b.steps, strict=False)) if x.batch != y.batch), None)
    if place is None:
        has_diverged = 0 if difference.step is None else min(difference.step - k, len(b.steps) - 1)
        off = generators_off(a.steps[k + has_diverged], b.steps[has_diverged])
        if difference.step is not None and off and not _explained(a, b, k):
            yield _drawn(a, b, k, has_diverged, off)
        return
    off = generators_off(a.steps[k + place], b.steps[place])
    ours = b.steps[place]
    places = [j for j, step in enumerate(a.steps) if step.batch == ours.batch]
    lost = _lost(a, b, k, off)
    rewound = _rewound(a, ours, off) if lost else None
    moved = _moved(a.steps[k + place], ours)
    if rewound is not None:
        yield _generators(a, b, k, place, off)
    counted = bool(places) and count_decides and len(b.steps) != len(a.steps) - k
    if counted and any(len(b.steps) == len(a.steps) - (j - place) for j in places):
        shown = f"the batch at step {k + place} is that of step {_nearest(places, k + place)}"
        total = f"it takes {len(b.steps)} steps, where {len(a.steps) - k} were left"
        yield cause("epoch-counter", "high", "the number of the epoch or step is not restored", shown, total)
    elif places and (rewound is None or moved):
        if lost and rewound is None and not moved:
            yield _generators(a, b, k, place, lost)
        shown = f"the batch at step {k + place} is that of step {_nearest(places, k + place)}"
        sure = "medium" if lost and not moved else "high"
        yield cause("loader-position", sure, "the data continues from another place", *filter(None, (shown, moved)))
    elif not places:
        yield from _new_batch(a, b, k, place, off, rewound)


def _new_batch(a: History, b: History, k: int, place: int, off: list[str], rewound: int | None) -> Iterator[Cause]:
    """A batch that the run that was not stopped never had."""
    shown = f"the batch at step {k + place} is none of the run that was not stopped"
    moved = _moved(a.steps[k + place], b.steps[place])
    if not off:
        more = "every generator is in the same state"
        sure = "high" if moved else "medium"
        yield cause("loader-position", sure, "the data comes in a different order", *filter(None, (shown, more, moved)))
        return
    if lost := _lost(a, b, k, off):
        if rewound is None:
            more = f"{_names(lost)} is in a different state after the step"
            yield cause("rng", "medium", "generators are not restored", shown, more)
        if moved:
            yield cause("loader-position", "medium", "the data continues from another place", moved)
    elif place:
        more = f"{_names(off)} is in the same state after step {k}, and in another one after step {k + place}"
        yield cause(
            "loader-position", "medium", "the data comes in a different order", *filter(None, (shown, more, moved))
        )
    else:
        more = f"{_names(off)} was set back to its state before step {k}, and then a new order was drawn"
        text = "the loader begins a new pass over the data"
        yield cause("loader-position", "high", text, *filter(None, (shown, more, moved)))


def _drawn(a: History, b: History, k: int, has_diverged: int, off: list[str]) -> Cause:
    """Equal batches, and generators in another state."""
    if _lost(a, b, k, off):
        return _generators(a, b, k, has_diverged, off)
    if has_diverged and not generators_off(a.steps[k], b.steps[0]):
        shown = f"{_names(off)} is in the same state after step {k}, and in another one after step {k + has_diverged}"
        return cause("other-state", "low", "what decides how much is drawn at random is not restored", shown)
    shown = f"{_names(off)} was set back to its state before step {k}, and was used before the step"
    new = any(one.step == 0 for one in b.passes) and not any(one.step == k for one in a.passes)
    if not new:
        return cause("unknown", "low", "more is drawn at random than in the run that was not stopped", shown)
    found = cause("loader-position", "medium", "a new pass over the data uses the generators", shown)
    return replace(found, help="set the generators back after the loader has begun its pass and skipped its batches")


def _lost(a: History, b: History, k: int, off: list[str]) -> list[str]:
    """Of these generators, those that were in another state at the resumption than when the state was saved."""
    if k < len(a.steps) and b.steps and not generators_off(a.steps[k], b.steps[0]):
        return []  # they diverge later
    before = [save.generators for save in a.saves if save.step == k]
    before += [a.steps[k - 1].generators] if k else []
    # NOTE: where a pass over a loader begins, it begins with the state at the resumption; whatever is drawn comes then.
    begun = [one.generators for one in b.passes if one.step == 0]
    if begun:
        back = {name for one in begun for name, state in one.items() if any(x.get(name) == state for x in before)}
    else:
        back = {name for name, state in b.restored if any(x.get(name) == state for x in before)}
    return [name for name in off if name not in back]


def _moved(theirs: StepState, ours: StepState) -> str:
    """Where the loader is in its pass, if it is elsewhere than it was to be; else empty."""
    if len(theirs.positions) != 1 or len(ours.positions) != 1 or theirs.positions == ours.positions:
        return ""
    return f"it is batch {ours.positions[0]} of a pass over the loader, and was to be batch {theirs.positions[0]}"


def _generators(a: History, b: History, k: int, place: int, off: list[str]) -> Cause:
    rewound = _rewound(a, b.steps[place], off)
    if rewound is not None:
        shown = f"after step {k + place} {_names(off)} is in the state that it has after step {rewound}"
        ours = b.steps[place]
        there = [
            step for step in a.steps if all(step.generators.get(name) == ours.generators.get(name) for name in off)
        ]
        same = any(step.batch == ours.batch for step in (*there, a.steps[k + place]))
        return cause("rng", "high" if same else "medium", "generators are not restored", shown)
    shown = f"{_names(off)} is in a different state after step {k + place}"
    return cause("rng", "medium", "generators are not restored", shown)


def _rewound(a: History, ours: StepState, off: list[str]) -> int | None:
    """The step of the other run after which the generators were in this state; the earliest."""
    if not off:
        return None
    for j, step in enumerate(a.steps):
        if all(step.generators.get(name) == ours.generators.get(name) for name in off):
            return j
    return None


def _explained(a: History, b: History, k: int) -> bool:
    """Whether what is known not to be restored makes the first loss differ by itself."""
    ours, theirs = b.steps[0], a.steps[k]
    if ours.scalers != theirs.scalers or models_off(theirs, ours, "evaluating"):
        return True
    if b.starts[0].parameters != state_before(a, k)[0]:
        return True
    # NOTE: the state of an optimizer changes no loss but that of the next step.
    return ours.loss == theirs.loss and (ours.rates != theirs.rates or b.starts[0].state != state_before(a, k)[1])


def _later(a: History, b: History, k: int) -> Iterator[Cause]:
    """Settings that begin to differ after some equal steps."""
    for index, (theirs, ours) in enumerate(zip(a.steps[k:], b.steps, strict=False)):
        if ours.rates != theirs.rates:
            if index:
                equal = f"equal for {index} step{'s' if index > 1 else ''} after the resumption"
                text = "the schedule of the learning rate is not restored"
                yield cause("scheduler", "high", text, f"at step {k + index}: {_rates(ours, theirs)}", equal)
            break
    for index, (theirs, ours) in enumerate(zip(a.steps[k:], b.steps, strict=False)):
        if ours.scalers != theirs.scalers:
            if index and ours.parameters == theirs.parameters:
                shown = f"at step {k + index}: {scalers_text(ours, theirs)}"
                yield cause("scaler", "high", "the gradient scaler is not restored", shown)
            break
    yield from _averaged(a, b, k)


def _averaged(a: History, b: History, k: int) -> Iterator[Cause]:
    """A model that no optimizer holds and that parts after a step in which all else is equal."""
    equal = 0
    for index, (theirs, ours) in enumerate(zip(a.steps[k:], b.steps, strict=False)):
        off = [model for model in models_off(theirs, ours, "parameters") if not model.owned]
        if not off:
            equal += any(not model.owned for model in ours.models)
            continue
        here = next(differing_kinds(theirs, ours), ("", ""))[0]
        if index and here == f"parameters of {off[0].label}":
            shown = f"parameters of {off[0].label}, which no optimizer holds, differ first at step {k + index}"
            if equal:
                same = f"equal for {equal} step{'s' if equal > 1 else ''} after the resumption"
                yield cause("averaging", "high", _AVERAGING, shown, same)
            elif _model_was_given(a, b, k, off[0].kind):
                yield cause("averaging", "high", _AVERAGING, shown, _GIVEN)
            else:
                yield cause("ema", "medium", "a model other than the trained one is not restored", shown)
        return


def _model_was_given(a: History, b: History, k: int, kind: str) -> bool:
    """Whether a module was loaded with what a model of this kind, held by no optimizer, was at the resumption."""
    near = [*a.steps[max(0, k - 1) : k + 1]]  # an average is updated before or after the step is seen
    return any(
        model.parameters in b.given for step in near for model in step.models if model.kind == kind and not model.owned
    )


def _count(a: History, b: History, k: int, difference: Difference) -> Iterator[Cause]:
    left, taken = len(a.steps) - k, len(b.steps)
    if left == taken:
        return
    shown = f"it takes {taken} steps, where {left} were left"
    if difference.kind == "number of steps":
        text = "the number of the epoch or step, or what else ends the training, is not restored"
        yield cause("epoch-counter", "medium", text, shown, "the steps that both take are equal")
    else:
        yield cause("epoch-counter", "high", "the number of the epoch or step is not restored", shown)


def _remaining(a: History, b: History, k: int, difference: Difference) -> Cause:
    """Nothing that is observed was seen to be lost."""
    if difference.kind == "numbers in the outputs":
        shown = "every step is equal; only numbers that are returned differ"
        return cause("other-state", "medium", "numbers that are kept over steps are not restored", shown)
    if difference.step is None or difference.kind == "saved tensors":
        averaged = any(word in difference.detail.lower() for word in ("ema", "avg", "average", "shadow", "swa"))
        shown = f"every step is equal; {difference.detail} differ"
        if averaged and _was_given(a, b, k, difference):
            return cause("averaging", "high", _AVERAGING, shown, _GIVEN)
        if averaged:
            return cause("ema", "medium", "averaged weights are not restored", shown)
        return cause("other-state", "medium", "a state other than model and optimizer is not restored", shown)
    if difference.kind == "loss":
        shown = "batch, parameters, generators and all else that is observed are equal"
        return cause("epoch-counter", "low", "a value that goes into the loss is not restored", shown)
    shown = f"{difference.kind} differ first at step {difference.step}, with everything before equal"
    return cause("unknown", "low", "a state that is not observed is not restored", shown)


def _was_given(a: History, b: History, k: int, difference: Difference) -> bool:
    """Whether a module was loaded with all that was saved under the names that differ, when it was saved last."""
    saved = [save for save in a.saves if save.step == k]
    names = difference.detail.split(" saved")[0].split(" and ")[0].split(", ")
    # NOTE: another file may have other names: the averaged model is named by the word that its names have in common.
    heads = {name.split(".")[0].split("[")[0] for name in names if name}
    found = [
        leaf.digest
        for save in saved
        for leaf in save.leaves
        if leaf.kind in ("tensor", "parameter", "buffer")
        and "float" in leaf.dtype
        and any(leaf.name.startswith((f"{head}.", f"{head}[")) for head in heads)
    ]
    return bool(found) and b.given.issuperset(found)


def _nearest(places: list[int], step: int) -> int:
    return min(places, key=lambda j: abs(j - step))


def _names(generators: list[str]) -> str:
    return "the generator of " + " and ".join(generators)


def _rates(ours: StepState, theirs: StepState) -> str:
    return f"learning rate {numbers_text(ours.rates)}, was to be {numbers_text(theirs.rates)}"
