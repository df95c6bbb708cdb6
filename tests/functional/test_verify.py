"""`reprocheck attest` and `verify` on a real training: a statement that was forged consistently fails when it is run
again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reprocheck.commands.attest.statement import predicate_digest, subject_of
from tests.support.cli import reprocheck

TRAIN = """\
import torch

def train(seed=0):
    torch.manual_seed(seed)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step()
    open("weights.txt", "w").write(repr(model.weight.tolist()))
    return model
"""


def forge(path: Path, **changes: Any) -> None:
    statement = json.loads(path.read_text())
    predicate = statement["predicate"]
    predicate["results"][0].update(changes)
    predicate["digest"] = predicate_digest(predicate)
    results = predicate["results"]
    statement["subject"] = [*map(subject_of, results), *statement["subject"][len(results) :]]
    path.write_text(json.dumps(statement))


@pytest.mark.slow
def test_a_statement_holds_when_it_is_run_again_and_a_forged_one_does_not(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    assert reprocheck("run", "train.py:train", "--no-explain", cwd=tmp_path).code == 0
    made = reprocheck("attest", "latest", "--out", "s.json", "--checkpoint", "weights.txt", cwd=tmp_path)
    assert made.code == 0, made.err
    whole = (tmp_path / "s.json").read_text()
    assert [one["name"] for one in json.loads(whole)["subject"]][1:] == ["weights.txt"]
    verified = reprocheck("verify", "s.json", "--audit", "latest", "--rerun", "2", "--format", "json", cwd=tmp_path)
    assert verified.code == 0, verified.out + verified.err
    assert [one["what"] for one in verified.json()["checks"]][-1] == "seed 0"

    forge(tmp_path / "s.json", seed=1)  # of another seed the result would be another one
    found = reprocheck("verify", "s.json", "--rerun", "2", "--format", "json", cwd=tmp_path)
    assert found.code == 1
    assert found.json()["checks"][-1]["detail"].startswith("other initial parameters and steps")

    (tmp_path / "s.json").write_text(whole)
    forge(tmp_path / "s.json", **{"class": "a machine that nobody has"})
    found = reprocheck("verify", "s.json", "--rerun", "2", "--format", "json", cwd=tmp_path)
    assert found.code == 3
    assert "another numerical class" in found.json()["checks"][-1]["detail"]

    (tmp_path / "s.json").write_text(whole)
    (tmp_path / "weights.txt").write_text("of somebody else")
    assert reprocheck("verify", "s.json", cwd=tmp_path).code == 1
    (tmp_path / "train.py").write_text(TRAIN.replace("0.1", "0.2"))
    (tmp_path / "weights.txt").unlink()
    found = reprocheck("verify", "s.json", "--rerun", "2", "--format", "json", cwd=tmp_path)
    assert found.code == 1
    assert "another file than that of the audit" in found.json()["checks"][-1]["detail"]
