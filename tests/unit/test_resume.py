"""What a resumed run did not get back, told from constructed states; and from which step it goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reprocheck.resume.align import align
from reprocheck.resume.causes import find_causes
from reprocheck.resume.compare import first_difference
from reprocheck.resume.model import Cause, Difference, History, ModelState, Start, StepState

STEPS, AT = 12, 4
NET = ModelState(label="Net", owned=True, parameters="p", buffers="b")
EMA = ModelState(label="Ema", owned=False, parameters="e", buffers="")


def step(number: int) -> StepState:
    """A step of the run that nobody stopped: everything in it is its own, but the rate."""
    return StepState(
        step=number,
        optimizer=0,
        batch=f"batch{number}",
        loss=f"loss{number}",
        gradients=f"gradients{number}",
        hyperparameters="h",
        rates=(0.1,),
        parameters=f"parameters{number}",
        state=f"state{number}",
        scalers=({"scale": 256.0},),
        generators={"torch": f"torch{number}", "numpy": f"numpy{number}"},
        models=(NET, EMA),
    )


THROUGH = History(
    starts=(Start(step=0, optimizer=0, parameters="initial", state="none", entries=0),),
    steps=tuple(step(number) for number in range(STEPS)),
)


def resumed(*, start: dict[str, Any] | None = None, steps: int | None = None, **first: Any) -> History:
    """Goes on from step AT; `first` changes its first step, and with it the loss of all later ones."""
    given = {"step": 0, "optimizer": 0, "parameters": f"parameters{AT - 1}", "state": f"state{AT - 1}", "entries": 2}
    taken = list(THROUGH.steps[AT : None if steps is None else AT + steps])
    if first:
        taken[0] = replace(taken[0], **first)
        taken[1:] = [replace(one, loss="other") for one in taken[1:]]
    return History(starts=(Start(**{**given, **(start or {})}),), steps=tuple(taken))


def causes(b: History, **changes: Any) -> tuple[Cause, ...]:
    found = first_difference(THROUGH.steps[AT:], b.steps, AT) or Difference(step=AT, kind="loss")
    return find_causes(THROUGH, b, AT, replace(found, **changes), count_decides=True)


def at_first(what: str, **changes: Any) -> dict[str, Any]:
    """The models of the first step, one of them changed."""
    return {"models": tuple(replace(m, **changes) if m.label == what else m for m in (NET, EMA)), "loss": "other"}


@pytest.mark.parametrize(
    ("b", "slug", "confidence", "evidence"),
    [
        (resumed(start={"parameters": "initial"}, loss="x"), "parameters", "high", "that the run began with"),
        (resumed(start={"parameters": "others"}, loss="x"), "parameters", "high", "of no step of the other run"),
        (resumed(start={"state": "x", "entries": 0}, parameters="x"), "optimizer-state", "high", "it is empty"),
        (resumed(start={"state": "x"}, parameters="x"), "optimizer-state", "high", "but others"),
        (resumed(rates=(0.4,), parameters="x"), "scheduler", "high", "learning rate 0.4, was to be 0.1"),
        (resumed(hyperparameters="x", parameters="x"), "optimizer-settings", "medium", "other than the learning rate"),
        (resumed(scalers=({"scale": 512.0},), loss="x"), "scaler", "high", "scale 512, was to be 256"),
        (resumed(**at_first("Ema", parameters="x")), "ema", "high", "parameters of Ema, which no optimizer holds"),
        (resumed(models=(replace(NET, buffers="x"), EMA)), "buffers", "high", "buffers of Net differ"),
        (resumed(**at_first("Net", evaluating=3)), "mode", "high", "evaluation mode, in Net: 3, was to be 0"),
        (resumed(**at_first("Net", frozen=1)), "frozen", "high", "take no gradient, in Net: 1, was to be 0"),
        (
            resumed(loss="x", generators={"torch": "torch0", "numpy": "numpy4"}),
            "rng",
            "high",
            "after step 4 the generator of torch is in the state that it has after step 0",
        ),
        (
            resumed(loss="x", generators={"torch": "torch4", "numpy": "x"}),
            "rng",
            "medium",
            "the generator of numpy is in another state after step 4",
        ),
        (resumed(batch="batch2", loss="x"), "loader-position", "high", "the batch at step 4 is that of step 2"),
        (resumed(batch="x", loss="x"), "loader-position", "medium", "every generator is in the same state"),
        (
            resumed(batch="x", loss="x", generators={"torch": "x", "numpy": "numpy4"}),
            "rng",
            "medium",
            "the generator of torch is in another state after the step",
        ),
        (resumed(loss="x"), "epoch-counter", "low", "batch, parameters, generators and all else"),
        (resumed(gradients="x"), "unknown", "low", "gradients part at step 4"),
    ],
)
def test_one_thing_that_is_not_restored(b: History, slug: str, confidence: str, evidence: str) -> None:
    found = causes(b)
    assert [cause.slug for cause in found] == [slug]
    assert found[0].confidence == confidence
    assert evidence in "; ".join(found[0].evidence)
    assert found[0].help


def test_several_at_once_are_all_named() -> None:
    found = causes(resumed(start={"state": "x", "entries": 0}, rates=(0.4,), scalers=({"scale": 1.0},), loss="x"))
    assert [cause.slug for cause in found] == ["optimizer-state", "scheduler", "scaler"]


def test_the_number_of_the_epoch() -> None:
    back = resumed()
    steps = tuple(replace(one, batch=f"batch{AT - 2 + i}", loss="x") for i, one in enumerate(back.steps))
    longer = replace(back, steps=(*steps, step(20), step(21)))
    (found,) = causes(longer)
    assert (found.slug, found.confidence) == ("epoch-counter", "high")
    assert found.evidence == ("the batch at step 4 is that of step 2", "it takes 10 steps, where 8 were left")


def test_steps_that_are_only_too_few() -> None:
    short = resumed(steps=5)
    (found,) = causes(short, step=AT + 5, kind="number of steps", detail="5, 8")
    assert (found.slug, found.confidence) == ("epoch-counter", "medium")
    assert "or what else ends the training" in found.message
    assert find_causes(THROUGH, short, AT, Difference(step=9, kind="x"), count_decides=False)[0].slug == "unknown"


def test_a_schedule_that_begins_to_differ_later() -> None:
    steps = [*resumed().steps]
    steps[3] = replace(steps[3], rates=(0.05,), parameters="x")
    (found,) = causes(replace(resumed(), steps=tuple(steps)))
    assert found.slug == "scheduler"
    assert found.evidence[1] == "equal for 3 steps after the resumption"


@pytest.mark.parametrize(
    ("kind", "detail", "slug"),
    [
        ("saved tensors", "ema.weight saved to final.pt", "ema"),
        ("outputs", "running", "other-state"),
        ("numbers in the outputs", "best", "other-state"),
    ],
)
def test_what_is_kept_beside_the_steps(kind: str, detail: str, slug: str) -> None:
    (found,) = causes(resumed(), step=None, kind=kind, detail=detail)
    assert (found.slug, found.confidence) == (slug, "medium")


def test_the_step_that_it_goes_on_from() -> None:
    found = align(THROUGH, resumed(), AT + 2)
    assert found is not None
    assert (found.step, found.by) == (AT, "parameters")
    other = resumed(start={"parameters": "others"})
    found = align(THROUGH, other, AT + 2)
    assert found is not None
    assert (found.step, found.by) == (AT, "optimizer state")
    anew = resumed(start={"parameters": "initial", "state": "none", "entries": 0}, steps=STEPS - AT)
    found = align(THROUGH, anew, AT + 2)
    assert found is not None
    assert (found.step, found.by) == (AT, "steps left")
    unknown = resumed(start={"parameters": "others", "state": "x", "entries": 1})
    assert align(THROUGH, unknown, AT + 2) is None
