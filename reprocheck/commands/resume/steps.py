"""Two steps of two runs side by side. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from reprocheck.commands.resume.model import ModelState, StepState


def differing_kinds(a: StepState, b: StepState) -> Iterator[tuple[str, str]]:
    """Kinds that decide, in run order, with what more there is to say."""
    for kind in ("batch", "loss", "gradients", "parameters"):
        if getattr(a, kind) != getattr(b, kind):
            yield kind, ""
    if a.state != b.state:
        yield "optimizer state", ""
    for what in ("buffers", "parameters"):
        for model in models_off(a, b, what):
            yield f"{what} of {model.label}", "" if model.owned else "no optimizer holds it"


def models_off(a: StepState, b: StepState, what: str) -> list[ModelState]:
    """Models of b whose parameters or buffers are those of no model of their class in a.

    Each run numbers its models in the order of their first calls, and the resumed run has met fewer of them.
    """
    there: dict[str, list[str]] = {}
    for model in a.models:
        there.setdefault(model.kind, []).append(getattr(model, what))
    off = []
    for model in b.models:
        if getattr(model, what) in there.get(model.kind, ()):
            there[model.kind].remove(getattr(model, what))
        elif model.kind in there:
            off.append(model)
    return off


def generators_off(a: StepState, b: StepState) -> list[str]:
    """Generators that are in another state."""
    return [name for name, state in b.generators.items() if a.generators.get(name, state) != state]


def numbers_text(values: tuple[float, ...]) -> str:
    """A few numbers, short."""
    shown = [f"{value:.6g}" for value in dict.fromkeys(values)]
    return ", ".join(shown[:3]) + (" ..." if len(shown) > 3 else "") or "none"


def scalers_text(ours: StepState, theirs: StepState) -> str:
    """The first number of a scaler that differs."""
    for own, other in zip(ours.scalers, theirs.scalers, strict=False):
        for name in sorted(own.keys() & other.keys(), key=lambda name: (name != "scale", name)):
            if own[name] != other[name]:
                return f"{name.strip('_').replace('_', ' ')} {own[name]:g}, was to be {other[name]:g}"
    return f"{len(ours.scalers)} scalers, were to be {len(theirs.scalers)}"
