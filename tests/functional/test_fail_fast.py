"""--fail-fast: runs end as soon as two of one seed have diverged."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.cli import environment, reprocheck

TARGET = """
import os, time
import torch

def train(wait=0.1, steps=600, part=3):
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(steps):
        x = torch.ones(2, 3)
        if step == part and os.environ["REPROCHECK_RUN"].endswith("r1"):
            x = x + 1
        loss = model(x).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        time.sleep(wait)
    return loss
"""


@pytest.mark.parametrize("jobs", [pytest.param("1", marks=pytest.mark.slow), "2"])
def test_a_difference_ends_the_runs_under_way(tmp_path: Path, jobs: str) -> None:
    (tmp_path / "t.py").write_text(TARGET)
    arguments = ["--fail-fast", "--no-explain", "--threads", "1", "--jobs", jobs, "--format", "json", "--seeds", "2"]
    steps = ["--arg", "steps=40"] if jobs == "1" else []
    started = time.monotonic()
    ran = reprocheck("run", *arguments, *steps, "t.py:train", cwd=tmp_path, env=environment())
    assert ran.code == 1, ran.err
    answer = ran.json()
    assert (answer["divergence"]["stage"], answer["divergence"]["step"]) == ("data", 3)
    assert answer["seeds"][0]["runs"][-1]["status"] == "stopped"
    assert "--fail-fast" in answer["seeds"][0]["runs"][-1]["reason"]
    assert answer["seeds"][1]["verdict"] == "no_verdict"
    assert time.monotonic() - started < 60  # 600 steps of 0.1 s, twice, would take two minutes


@pytest.mark.slow
def test_without_a_difference_nothing_is_ended(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(TARGET)
    arguments = ["--fail-fast", "--threads", "1", "--jobs", "2", "--arg", "wait=0.01", "--arg", "steps=20"]
    ran = reprocheck("run", *arguments, "--arg", "part=-1", "t.py:train", cwd=tmp_path, env=environment())
    assert ran.code == 0, ran.out + ran.err
