"""`reprocheck fix`: what was tried is written, and the whole audit says whether it helped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli import reprocheck

TRAIN = """\
import numpy as np
import torch
from torch import nn


def make_data(n=64):
    rng = np.random.default_rng()
    x = rng.normal(size=(n, 8)).astype("float32")
    return torch.from_numpy(x), torch.from_numpy(x.sum(1, keepdims=True))


def train(seed=0):
    torch.manual_seed(seed)
    x, y = make_data()
    net = nn.Linear(8, 1)
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(3):
        loss = nn.functional.mse_loss(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}
"""
CHANGED = TRAIN.replace("default_rng()", "default_rng(0)")


@pytest.mark.slow
def test_what_was_tried_is_written_and_the_audit_reproduces(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(TRAIN)
    assert reprocheck("run", "train.py:train", "-q", cwd=tmp_path).code == 1
    shown = reprocheck("fix", "--diff", cwd=tmp_path)
    assert shown.code == 1
    assert "-    rng = np.random.default_rng()\n+    rng = np.random.default_rng(0)\n" in shown.out
    asked = reprocheck("fix", cwd=tmp_path)  # nobody answers: nothing is written
    assert asked.code == 1
    assert file.read_text() == TRAIN
    written = reprocheck("fix", "--write", "--format", "json", cwd=tmp_path)
    assert written.code == 0, written.err
    assert file.read_text() == CHANGED
    assert written.json()["again"]["verdict"] == "reproducible"
    assert written.json()["shifts"][0]["name"] == "loss"
    nothing = reprocheck("fix", cwd=tmp_path)
    assert nothing.code == 3
    assert "nothing to fix" in nothing.out


@pytest.mark.slow
def test_run_fixes_at_once_when_asked(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    ran = reprocheck("run", "train.py:train", "--fix", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert "FIXED" in ran.out
    assert (tmp_path / "train.py").read_text() == CHANGED
    refused = reprocheck("run", "train.py:train", "--fix", "--format", "json", cwd=tmp_path)
    assert refused.code == 2
    assert "--fix adds to the text report" in refused.err


@pytest.mark.slow
def test_a_change_that_does_not_help_is_taken_back(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(TRAIN)
    ran = reprocheck("run", "train.py:train", "-q", "--format", "json", cwd=tmp_path)
    content = ran.json()
    for trial in content["explanation"]["trials"]:
        for remedy in trial["remedies"]:
            for edit in remedy["edits"]:
                edit["after"] = edit["before"] + "  # no help"
    (tmp_path / "r.json").write_text(json.dumps(content))
    fixed = reprocheck("fix", "r.json", "--write", cwd=tmp_path)
    assert fixed.code == 1
    assert "still differs: the files are as they were" in fixed.out
    assert file.read_text() == TRAIN


def test_no_audit_and_bad_options_are_refused(tmp_path: Path) -> None:
    assert "there is no latest" in reprocheck("fix", cwd=tmp_path).err
    assert reprocheck("fix", "--diff", "--write", cwd=tmp_path).code == 2
