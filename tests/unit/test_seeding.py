"""Fingerprints of the generators' states."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from reprocheck.worker.bootstrap import seeding
from reprocheck.worker.bootstrap.seeding import state_digest

MOVES = {
    "nothing": lambda: None,
    "one normal, the other is kept": lambda: np.random.randn(),
    "a uniform": lambda: np.random.rand(3),
    "many": lambda: np.random.rand(700),
    "three normals": lambda: np.random.normal(size=3),
    "another seed": lambda: np.random.seed(7),
    "an older state": lambda: np.random.set_state(KEPT),
}
KEPT = np.random.RandomState(3).get_state()


def asked_again() -> bytes | None:
    seeding._Known.numpy = None
    return state_digest("numpy")


def test_the_short_way_to_the_state_of_numpy_gives_what_the_long_one_gives() -> None:
    order = random.Random(0)
    np.random.seed(0)
    for _ in range(300):
        name = order.choice(sorted(MOVES))
        MOVES[name]()
        short = state_digest("numpy")
        assert short == state_digest("numpy") == asked_again(), name


def test_a_normal_that_is_kept_counts() -> None:
    np.random.seed(0)
    np.random.randn()
    with_one = state_digest("numpy")
    np.random.randn()
    assert state_digest("numpy") != with_one


@pytest.mark.parametrize(
    ("generator", "draw"), [("python", random.random), ("numpy", np.random.rand), ("torch", lambda: torch.rand(1))]
)
def test_a_draw_changes_the_state(generator: str, draw) -> None:
    before = state_digest(generator)
    assert state_digest(generator) == before
    draw()
    assert state_digest(generator) != before


def test_the_short_way_to_the_state_of_python_gives_what_the_long_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = (
        lambda: None,
        random.random,
        lambda: random.gauss(0, 1),
        lambda: random.seed(3),
        lambda: random.sample(range(900), 700),
    )
    kept = random.getstate()
    order = random.Random(0)
    for _ in range(200):
        order.choice(draws)()
        monkeypatch.setattr(seeding._Known, "is_python_laid_out", None)
        monkeypatch.setattr(seeding._Known, "python", None)
        short = state_digest("python")
        assert seeding._Known.is_python_laid_out
        monkeypatch.setattr(seeding._Known, "is_python_laid_out", False)
        monkeypatch.setattr(seeding._Known, "python", None)
        assert state_digest("python") == short
    random.setstate(kept)
    assert state_digest("python") != short


def test_another_generator_in_place_of_python_s_is_asked_for_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(random.Random):
        pass

    before = state_digest("python")
    monkeypatch.setattr(random, "_inst", Own(1))
    assert state_digest("python") == before  # the functions of the module are still those of the first
