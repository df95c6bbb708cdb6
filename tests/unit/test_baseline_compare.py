"""Two snapshots beside each other: what is the same, what differs, what was not compared, and where it begins."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from reprocheck.compare.baseline.compare import compare_snapshots
from reprocheck.compare.baseline.snapshot import marked_steps
from reprocheck.model.baseline import OTHER_CLASS, UNMEASURED, First, Snapshot, State
from reprocheck.model.tolerance import Tolerance, parse
from tests.support.baselines import checkpoint, forgotten, metric, records, snapshot, tensor

BITS = Tolerance()


def as_file(one: Snapshot) -> Snapshot:
    return replace(one, steps=forgotten(one.steps), output_digest="")


def as_report(one: Snapshot) -> Snapshot:
    return replace(one, init=None, outputs=None, steps=replace(forgotten(one.steps), marks=(), optimizers=0))


def states(a: Snapshot, b: Snapshot, tolerance: Tolerance = BITS, no_bits: str = "") -> dict[str, State]:
    found = compare_snapshots(0, a, b, tolerance, no_bits)
    assert states_only(found.parts) == states_only(compare_snapshots(0, b, a, tolerance, no_bits).parts)
    return states_only(found.parts)


def states_only(parts: tuple) -> dict[str, State]:
    return {part.what: part.state for part in parts}


def first(a: Snapshot, b: Snapshot, tolerance: Tolerance = BITS) -> First | None:
    return compare_snapshots(0, a, b, tolerance).first


ALL_SAME = dict.fromkeys(("initial parameters", "steps", "outputs", "metrics"), State.SAME)


@pytest.mark.parametrize("form", [lambda one: one, as_file, as_report], ids=["evidence", "file", "report"])
@pytest.mark.parametrize("other", [lambda one: one, as_file, as_report], ids=["evidence", "file", "report"])
def test_equal_runs_are_the_same_in_whatever_form(form, other) -> None:
    expected = dict(ALL_SAME)
    forms = (form, other)
    if as_report in forms and as_file in forms:  # a file may leave outputs out
        expected["outputs"] = State.NOT_COMPARED
    assert states(form(snapshot()), other(snapshot())) == expected
    assert first(form(snapshot()), other(snapshot())) is None


def test_an_initial_tensor_that_differs_is_named() -> None:
    other = snapshot(init=(tensor("weight"), tensor("bias", "other", shape=(4,))))
    assert first(snapshot(), as_file(other)) == First(stage="init", kind="initial parameters", names=("bias",))
    assert states(snapshot(), other)["initial parameters"] is State.DIFFERENT
    assert first(as_report(snapshot()), other) == First(stage="init", kind="initial parameters")


@pytest.mark.parametrize("changes", [{"dtype": "float64"}, {"shape": (4, 3)}, {"name": "w"}])
def test_form_and_name_count(changes) -> None:
    other = snapshot(init=(replace(tensor("weight"), **changes), tensor("bias", shape=(4,))))
    assert states(snapshot(), other)["initial parameters"] is State.DIFFERENT


def test_a_tensor_without_fingerprint_is_never_the_same() -> None:
    one = snapshot(init=(tensor("weight", digest="", reason="sparse"),))
    assert states(one, one)["initial parameters"] is State.NOT_COMPARED
    (pair,) = (pair for pair in compare_snapshots(0, one, one, BITS).tensors if pair.part == "initial parameters")
    assert (pair.state, pair.reason) == (State.NOT_COMPARED, "sparse")


def test_with_all_records_the_step_and_kind_are_known() -> None:
    found = first(snapshot(), snapshot(steps=records(30, parts_at=17)))
    assert found == First(stage="step", kind="batch", low=17, high=17)


@pytest.mark.parametrize("parts_at", range(0, 100))
def test_marks_bound_the_step(parts_at: int) -> None:
    a, b = snapshot(steps=records(100)), snapshot(steps=records(100, parts_at=parts_at))
    for found in (first(as_file(a), b), first(a, as_file(b)), first(as_file(a), as_file(b))):
        assert found is not None
        assert (found.stage, found.kind) == ("step", "")
        assert (found.low, found.high) == (parts_at // 5 * 5, parts_at // 5 * 5 + 4)


def test_another_number_of_steps() -> None:
    found = first(as_file(snapshot(steps=records(30))), snapshot(steps=records(20)))
    assert found == First(stage="step", kind="number of steps", low=20, high=20, note="30 steps against 20")
    found = first(as_file(snapshot(steps=records(31))), snapshot(steps=records(29)))
    assert found is not None
    assert (found.low, found.high) == (28, 29)
    assert found.kind == ""  # step 28 is no mark of 31 steps: it may differ


def test_several_optimizers_are_placed_with_a_note() -> None:
    two = ("sgd", "adam")
    found = first(as_file(snapshot(optimizers=two)), snapshot(steps=records(30, parts_at=3), optimizers=two))
    assert found is not None
    assert "several optimizers" in found.note


def test_of_digests_alone_no_step_is_known() -> None:
    found = first(as_report(snapshot()), as_report(snapshot(steps=records(30, parts_at=3))))
    assert found == First(stage="step")


def test_no_steps_on_both_sides_is_no_agreement() -> None:
    none = snapshot(steps=b"")
    assert states(none, none)["steps"] is State.NOT_COMPARED
    assert states(none, snapshot())["steps"] is State.DIFFERENT
    assert states(as_file(none), snapshot())["steps"] is State.DIFFERENT


def test_a_metric_that_differs() -> None:
    other = snapshot(outputs=(metric("loss", 0.75), tensor("model.weight", kind="tensor")))
    assert first(snapshot(), other) == First(stage="metric", kind="metrics", names=("loss",))
    other = snapshot(outputs=(metric("loss", 0.75), tensor("model.weight", "x", kind="tensor")))
    assert first(snapshot(), other) == First(stage="output", kind="outputs", names=("loss", "model.weight"))


def test_a_metric_that_is_gone() -> None:
    other = snapshot(outputs=(tensor("model.weight", kind="tensor"),))
    assert states(snapshot(), other)["metrics"] is State.DIFFERENT
    assert states(snapshot(), other, parse(["loss=1"]), OTHER_CLASS)["metrics"] is State.DIFFERENT


def test_a_margin_decides_for_its_metric_alone() -> None:
    other = snapshot(outputs=(metric("loss", 0.5001), tensor("model.weight", kind="tensor")))
    assert states(snapshot(), other, parse(["loss=1e-3"])) == {**ALL_SAME, "metrics": State.NEAR}
    assert states(snapshot(), other, parse(["loss=1e-5"]))["metrics"] is State.DIFFERENT
    moved = snapshot(outputs=(metric("loss", 0.5001), tensor("model.weight", "x", kind="tensor")))
    assert first(snapshot(), moved, parse(["loss=1e-3"])) == First(
        stage="output", kind="outputs", names=("model.weight",)
    )


def test_nan_is_nan_and_minus_zero_is_not_zero() -> None:
    nan, zero, minus = (snapshot(outputs=(metric("m", value),)) for value in (math.nan, 0.0, -0.0))
    assert states(nan, nan) == ALL_SAME
    assert states(zero, minus)["metrics"] is State.DIFFERENT
    assert states(zero, minus, parse(["m=0"]))["metrics"] is State.NEAR


def test_a_tolerance_for_tensors_leaves_differing_digests_open() -> None:
    other = snapshot(steps=records(30, parts_at=3), outputs=(metric("loss", 0.5), tensor("model.weight", "x")))
    found = compare_snapshots(0, snapshot(), other, parse(["close"]))
    assert states_only(found.parts) == {
        "initial parameters": State.SAME,
        "steps": State.NOT_COMPARED,
        "outputs": State.NOT_COMPARED,
        "metrics": State.SAME,
    }
    assert {part.reason for part in found.parts if part.state is State.NOT_COMPARED} == {UNMEASURED}
    assert found.is_comparable
    assert found.first is None
    (pair,) = (pair for pair in found.tensors if pair.name == "model.weight")
    assert (pair.state, pair.reason) == (State.NOT_COMPARED, UNMEASURED)


def test_without_metrics_a_tolerance_gives_no_answer() -> None:
    a, b = snapshot(outputs=()), snapshot(outputs=(), steps=records(30, parts_at=3))
    found = compare_snapshots(0, a, b, parse(["close"]))
    assert found.first is None
    assert not found.is_comparable  # an equal start is no answer
    assert compare_snapshots(0, a, a, parse(["close"])).is_comparable


def test_in_another_class_metrics_decide_and_only_with_a_tolerance() -> None:
    other = snapshot(init=(tensor("weight", "x"),), steps=records(20), outputs=(metric("loss", 0.5001),))
    found = compare_snapshots(0, snapshot(), other, BITS, OTHER_CLASS)
    assert set(states_only(found.parts).values()) == {State.NOT_COMPARED}
    assert not found.is_comparable
    assert found.tensors == ()
    assert compare_snapshots(0, snapshot(), snapshot(), BITS, OTHER_CLASS).is_comparable is False
    found = compare_snapshots(0, snapshot(), other, parse(["loss=1%"]), OTHER_CLASS)
    assert found.is_comparable
    assert found.first is None
    found = compare_snapshots(0, snapshot(), other, parse(["loss=0.001%"]), OTHER_CLASS)
    assert found.first == First(stage="metric", kind="metrics", names=("loss",))


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, []),
        (1, [0]),
        (3, [0, 1, 2]),
        (20, [*range(20)]),
        (21, [*range(1, 20, 2), 20]),
        (45, [*range(4, 45, 5)]),
        (101, [*range(4, 100, 5), 100]),
        (150, [*range(9, 150, 10)]),
    ],
)
def test_marks_are_few_and_end_with_the_last_step(count: int, expected: list[int]) -> None:
    assert marked_steps(count) == expected


def test_millions_of_steps_have_few_marks() -> None:
    assert len(marked_steps(10**12)) <= 21


def test_checkpoints_of_the_target_decide() -> None:
    one, other = snapshot(checkpoints=(checkpoint("a"), checkpoint("b"))), snapshot(checkpoints=(checkpoint("a", "x"),))
    for form in (one, as_file(one)):
        assert states(form, one)["checkpoints"] is State.SAME
        found = compare_snapshots(0, form, other, BITS)
        assert found.first == First(stage="checkpoint", kind="checkpoints", names=("a",))
        assert {pair.name: pair.state for pair in found.tensors if pair.part == "checkpoints"} == {
            "a": State.DIFFERENT,
            "b": State.NOT_COMPARED,
        }
    assert states(snapshot(), one)["checkpoints"] is State.NOT_COMPARED  # one was put into the code
    assert "checkpoints" not in states(snapshot(), snapshot())
    unread = snapshot(checkpoints=(checkpoint("a", unread=1),))
    assert states(unread, unread)["checkpoints"] is State.NOT_COMPARED
    more = snapshot(checkpoints=(checkpoint("a"), checkpoint("b"), checkpoint("b", call=1)))
    assert states(one, more)["checkpoints"] is State.DIFFERENT


def test_that_nothing_was_returned_is_no_agreement() -> None:
    none = snapshot(init=(), steps=b"", outputs=(tensor("", kind="constant", dtype="", shape=(), text="None"),))
    for one in (none, as_file(none)):
        assert not compare_snapshots(0, none, one, BITS).is_comparable


def test_names_that_stand_twice_are_distinguished() -> None:
    one = snapshot(outputs=(metric("a", 1.0), metric("a", 2.0), tensor("")))
    assert [record.name for record in one.outputs or ()] == ["a", "a #2", "returned value"]
