"""The grid of steps: records made by hand."""

from __future__ import annotations

import pytest

from reprocheck.compare.grid import MOST_CELLS, step_grid
from reprocheck.compare.steps import compare_steps
from reprocheck.protocol import FLAG_DEVICE, FLAG_TAIL
from tests.unit.test_compare_steps import Rec, differing, encode, steps

RUNS = ("a", "b")


def rows(a: list[Rec], b: list[Rec]) -> dict[str, str]:
    found = step_grid(encode(a), encode(b), RUNS)
    assert found is not None
    return dict(found.rows)


def test_the_first_cell_that_differs_is_the_first_difference() -> None:
    a, b = steps(8), differing(8, 5, "gradients", "parameters", "rng torch")
    assert rows(a, b) == {
        **dict.fromkeys(("batch", "forward", "loss", "buffers", "optimizer state"), "========"),
        **dict.fromkeys(("gradients", "parameters", "generators"), "=====!!!"),
    }
    found, _ = compare_steps(encode(a), encode(b), (), ())
    assert found is not None
    assert (found.step, found.kind) == (5, "gradients")


def test_steps_of_one_run_alone_are_not_compared() -> None:
    assert set(rows(steps(3), steps(5)).values()) == {"===??"}


def test_what_neither_run_showed_has_no_row_and_what_one_showed_differs() -> None:
    a, b = steps(2), steps(2)
    for rec in (*a, *b):
        rec.kinds = {kind: text for kind, text in rec.kinds.items() if kind in ("loss", "batch")}
    a[1].kinds = {"loss": "loss 1"}
    assert rows(a, b) == {"batch": "=!", "loss": "=="}
    b[1].kinds = {"loss": "loss 1"}
    assert rows(a, b) == {"batch": "=.", "loss": "=="}


def test_digests_of_two_kinds_are_not_compared() -> None:
    b = differing(3, 1, "loss")
    b[1].flags = FLAG_DEVICE
    assert rows(steps(3), b)["loss"] == "=?!"


def test_what_came_after_the_last_step_is_none() -> None:
    a = [*steps(2), Rec({"parameters": "x"}, flags=FLAG_TAIL)]
    assert rows(a, steps(2))["loss"] == "=="
    assert step_grid(encode([Rec({"parameters": "x"}, flags=FLAG_TAIL)]), b"", RUNS) is None


@pytest.mark.parametrize("count", [MOST_CELLS, MOST_CELLS + 1, 10_000])
def test_a_cell_of_many_steps_differs_if_one_does(count: int) -> None:
    b = steps(count)
    b[77].kinds = {**b[77].kinds, "loss": "!"}
    found = step_grid(encode(steps(count)), encode(b), RUNS)
    assert found is not None
    assert (found.steps, len(dict(found.rows)["loss"]) <= MOST_CELLS) == (count, True)
    assert dict(found.rows)["loss"].index("!") == 77 // found.width
