"""`reprocheck cost` on a training whose prices are made: what reproduces is told, and what was slowed down is dear."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Ran, reprocheck

# Only deterministic algorithms make it reproduce, and the fill of memory is what makes a step slow.
TRAINING = """\
import os, time
import torch
from torch.utils import deterministic

def train(steps=12):
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    own = 0.0 if torch.are_deterministic_algorithms_enabled() else float(os.getpid())
    for _ in range(steps):
        time.sleep(0.01)
        if torch.are_deterministic_algorithms_enabled() and deterministic.fill_uninitialized_memory:
            time.sleep(0.03)
        loss = model(torch.full((2, 4), 1 + own)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"loss": loss.item()}

def fails():
    raise RuntimeError("no data")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "t.py").write_text(TRAINING)
    (tmp_path / "pyproject.toml").write_text('[tool.reprocheck]\ndeterministic = "warn"\n')
    return tmp_path


def cost(folder: Path, *arguments: str) -> Ran:
    return reprocheck("cost", "--threads", "1", *arguments, cwd=folder)


@pytest.mark.slow
def test_prices(folder: Path) -> None:
    arguments = ("--rounds", "2", "--only", "seeded,deterministic-unfilled,deterministic-warn,one-thread")
    ran = cost(folder, *arguments, "--format", "json", "t.py:train")
    assert ran.code == 0, ran.err
    costs = ran.json()
    assert {setting["name"]: setting["reproduces"] for setting in costs["settings"]} == {
        "plain": False,
        "plain again": False,
        "seeded": False,
        "deterministic-unfilled": True,
        "deterministic-warn": True,
    }
    assert costs["settings"][0]["divergence"]["stage"] == "init"  # nobody seeds it
    assert costs["not_run"] == [{"name": "one-thread", "reason": "the training runs on one thread already"}]
    measured = costs["volatile"]
    assert (measured["cheapest"], measured["per"]) == ("deterministic-unfilled", "step")
    assert not measured["prices"]["plain again"]["time_ratio"]["differs"]
    filled = measured["prices"]["deterministic-warn"]["time_ratio"]
    assert filled["differs"]
    assert filled["median"] > 2
    assert measured["fill"]["differs"]
    assert 2 < measured["fill"]["median"] < 5


def test_a_training_that_fails_has_no_prices(folder: Path) -> None:
    ran = cost(folder, "t.py:fails")
    assert ran.code == 3
    assert "no prices: the plain run warm-up failed: RuntimeError: no data" in ran.out


def test_bad_arguments_are_refused(folder: Path) -> None:
    for arguments, output in (
        (("--rounds", "1", "t.py:train"), "--rounds must be an integer from 2"),
        (("--only", "sedeed", "t.py:train"), "there is no setting 'sedeed'"),
        (("t.py:absent",), "absent"),
    ):
        ran = cost(folder, *arguments)
        assert (ran.code, ran.out) == (2, "")
        assert output in ran.err
    assert not list((folder / ".reprocheck").glob("costs/2*"))
