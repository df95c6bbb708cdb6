"""A model that child processes had trained before it was first called has no initial parameters."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import reprocheck

TRAINING = """\
import os
import torch
import torch.multiprocessing as mp


def worker(model, rate):
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    model(torch.ones(4, 8)).sum().backward()
    optimizer.step()


def train():
    model = torch.nn.Linear(8, 1)
    model.share_memory()
    rate = 0.2 if os.environ["REPROCHECK_RUN"].endswith("r1") else 0.1
    child = mp.get_context("fork").Process(target=worker, args=(model, rate))
    child.start()
    child.join()
    return float(model(torch.ones(4, 8)).sum())
"""


def test_what_children_trained_is_not_called_initial(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(TRAINING)
    arguments = (
        "run",
        "t.py:train",
        "--threads",
        "1",
        "--no-explain",
        "--output",
        "json=r.json",
        "--format",
        "text",
    )
    ran = reprocheck(*arguments, cwd=tmp_path)
    assert ran.code == 1, ran.out + ran.err
    assert "initial" not in ran.out
    assert "differ first in parameters that child processes trained" in ran.out
    assert "parameters trained in child processes" in ran.out


def test_doctor_calls_nothing_healthy_that_others_trained(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(TRAINING)
    ran = reprocheck("doctor", "t.py:train", "--threads", "1", cwd=tmp_path)
    assert ran.code == 3, ran.out + ran.err
    assert "no optimizer step was seen; not looked at: 1 child process that used torch" in ran.out
    assert "initial weights" not in ran.out
