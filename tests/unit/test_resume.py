"""What a resumed run did not get back, told from constructed states; and from which step it goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reprocheck.commands.resume.align import align
from reprocheck.commands.resume.causes import find_causes
from reprocheck.commands.resume.compare import first_difference
from reprocheck.commands.resume.history import read_history
from reprocheck.commands.resume.model import Cause, Difference, History, ModelState, Pass, Save, Start, StepState
from reprocheck.commands.resume.runs import _was_there
from reprocheck.diagnosis.rules.explain import explain as page_of
from reprocheck.evidence.records import tensor_record
from reprocheck.protocol import STATES_FILE

STEPS, AT = 12, 4
TORCH = {"torch": "x", "numpy": "numpy4"}
"""The generator of torch in another state after the step; that of numpy as it was to be."""
SAVED = {"torch": "torch3", "numpy": "numpy3"}
NET = ModelState(label="Net", owned=True, parameters="p", buffers="b")
EMA = ModelState(label="Ema", owned=False, parameters="e", buffers="")


def step(number: int) -> StepState:
    """A step of the run that was not stopped: everything in it is its own, but the rate."""
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
            "the generator of numpy is in a different state after step 4",
        ),
        (resumed(batch="batch2", loss="x"), "loader-position", "high", "the batch at step 4 is that of step 2"),
        (resumed(batch="x", loss="x"), "loader-position", "medium", "every generator is in the same state"),
        (
            resumed(batch="x", loss="x", generators={"torch": "x", "numpy": "numpy4"}),
            "rng",
            "medium",
            "the generator of torch is in a different state after the step",
        ),
        (resumed(loss="x"), "epoch-counter", "low", "batch, parameters, generators and all else"),
        (resumed(gradients="x"), "unknown", "low", "gradients differ first at step 4"),
    ],
)
def test_one_thing_that_is_not_restored(b: History, slug: str, confidence: str, evidence: str) -> None:
    found = causes(b)
    assert [cause.slug for cause in found] == [slug]
    assert found[0].confidence == confidence
    assert evidence in "; ".join(found[0].evidence)
    page = page_of(found[0].code)
    assert slug in page.splitlines()[0]
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
def test_what_is_kept_next_to_the_steps(kind: str, detail: str, slug: str) -> None:
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
    again = resumed(start={"parameters": "initial", "state": "none", "entries": 0}, steps=STEPS - AT)
    found = align(THROUGH, again, AT + 2)
    assert found is not None
    assert (found.step, found.by) == (AT, "steps left")
    unknown = resumed(start={"parameters": "others", "state": "x", "entries": 1})
    assert align(THROUGH, unknown, AT + 2) is None


def begun(state: dict[str, str], **first: Any) -> History:
    """Resumed with a pass over the loader that began with the generators in this state."""
    return replace(resumed(loss="x", **first), passes=(Pass(step=0, generators=state),))


def test_an_order_that_is_drawn_again_from_restored_generators_is_no_lost_generator() -> None:
    (found,) = causes(begun(SAVED, batch="x", generators=TORCH))
    assert (found.slug, found.confidence) == ("loader-position", "high")
    back = {"torch": "torch9", "numpy": "numpy4"}  # as it is when the next pass begins
    (found,) = causes(begun(SAVED, batch="batch9", generators=back))
    assert (found.slug, found.confidence) == ("loader-position", "high")
    lost = begun({"torch": "torch0", "numpy": "numpy3"}, batch="x", generators=TORCH)
    (found,) = causes(
        replace(lost, restored=(("torch", "torch3"),))
    )  # set back, and drawn from before the loader began
    assert (found.slug, found.confidence) == ("rng", "medium")
    assert [cause.slug for cause in causes(begun(TORCH, batch="batch9", generators=TORCH))] == [
        "rng",
        "loader-position",
    ]


def test_generators_that_were_drawn_from_between_the_last_step_and_the_save_are_restored() -> None:
    saved = {"torch": "validated", "numpy": "numpy3"}
    a = replace(THROUGH, saves=(Save(step=AT, path="last.pt", leaves=(), generators=saved),))
    b = begun(saved, batch="x", generators=TORCH)
    difference = Difference(step=AT, kind="batch")
    assert [cause.slug for cause in find_causes(a, b, AT, difference, count_decides=True)] == ["loader-position"]
    assert [cause.slug for cause in causes(b)] == ["rng"]


def test_where_the_loader_was_in_its_pass() -> None:
    there = (*THROUGH.steps[:AT], replace(THROUGH.steps[AT], positions=(3,)), *THROUGH.steps[AT + 1 :])
    a = replace(THROUGH, steps=there)
    difference = Difference(step=AT, kind="batch")

    def found(b: History) -> list[tuple[str, str]]:
        named = find_causes(a, b, AT, difference, count_decides=True)
        return [(cause.slug, cause.confidence) for cause in named]

    assert found(resumed(batch="x", loss="x", positions=(1,))) == [("loader-position", "high")]
    assert found(resumed(batch="x", loss="x", positions=(3,))) == [("loader-position", "medium")]
    lost = {"torch": "torch0", "numpy": "numpy0"}
    both = resumed(batch="batch0", loss="x", generators=lost, positions=(1,))
    assert found(both) == [("rng", "high"), ("loader-position", "high")]
    assert found(replace(both, steps=(replace(both.steps[0], positions=(3,)), *both.steps[1:]))) == [("rng", "high")]


def test_equal_batches_and_generators_that_were_restored() -> None:
    (found,) = causes(begun(SAVED, generators=TORCH))
    assert (found.slug, found.confidence) == ("loader-position", "medium")
    assert "begun its pass" in found.help
    steps = [*resumed().steps]
    steps[2] = replace(steps[2], loss="x", generators={"torch": "x"})
    (found,) = causes(replace(resumed(), steps=tuple(steps)))
    assert (found.slug, found.confidence) == ("other-state", "low")
    assert "in the same state after step 4" in found.evidence[0]


def diverged_later(index: int, *, met_at: int = 0) -> History:
    """The averaged model differs from this step after the resumption on; it is first called in step `met_at`."""
    steps = list(resumed().steps)
    for i, one in enumerate(steps):
        ema = replace(EMA, parameters="x" if i >= index else "e")
        steps[i] = replace(one, models=(NET, ema) if i >= met_at else (NET,))
    return replace(resumed(), steps=tuple(steps))


def test_averaged_weights_that_part_later() -> None:
    (found,) = causes(diverged_later(2))
    assert (found.slug, found.confidence) == ("averaging", "high")
    assert found.evidence[1] == "equal for 2 steps after the resumption"
    assert "n_averaged" in found.help
    unmet = diverged_later(2, met_at=2)
    (found,) = causes(unmet)
    assert (found.slug, found.confidence) == ("ema", "medium")
    (found,) = causes(replace(unmet, given=frozenset({"e"})))
    assert (found.slug, found.confidence) == ("averaging", "high")


def test_averaged_weights_that_only_saved_files_show() -> None:
    leaf = tensor_record(
        {
            "name": "ema.weight",
            "kind": "tensor",
            "dtype": "float32",
            "shape": [2],
            "digest": "e",
            "text": "",
            "reason": "",
        }
    )
    a = replace(THROUGH, saves=(Save(step=AT, path="last.pt", leaves=(leaf,)),))
    difference = Difference(step=8, kind="saved tensors", detail="ema.weight saved to last.pt")
    for given, slug, sure in ((frozenset({"e"}), "averaging", "high"), (frozenset({"p"}), "ema", "medium")):
        b = replace(resumed(), given=given)
        (found,) = find_causes(a, b, AT, difference, count_decides=True)
        assert (found.slug, found.confidence) == (slug, sure)


def test_what_a_shell_writes_meanwhile_was_not_written_by_a_run() -> None:
    assert _was_there((5, 10), (5, 10), (5, 10))
    assert not _was_there((6, 11), (5, 10), (5, 10))
    assert not _was_there((6, 11), None, None)
    assert _was_there((5, 10), (0, 9), (9, 12))  # copied while it grew
    assert not _was_there((20, 11), (0, 9), (9, 12))


def test_the_states_file_is_read_back(tmp_path: Path) -> None:
    lines = (
        '{"record": "pass", "step": 0, "generators": {"torch": "a"}}',
        '{"record": "given", "digests": ["b", "c"]}',
        '{"record": "save", "step": 3, "path": "x", "leaves": [], "generators": {"torch": "d"}}',
    )
    (tmp_path / STATES_FILE).write_text("\n".join(lines) + "\n")
    history = read_history(tmp_path)
    assert history.passes == (Pass(step=0, generators={"torch": "a"}),)
    assert history.given == {"b", "c"}
    assert history.saves[0].generators == {"torch": "d"}
