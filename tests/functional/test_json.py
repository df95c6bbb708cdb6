"""The JSON report of real audits: the keys that are promised, and what stays the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Ran, reprocheck

TARGET = """\
import os
import torch


def train(pid: bool = False, late: bool = False):
    model = torch.nn.Linear(2, 1)
    if pid:
        with torch.no_grad():
            model.weight[0, 0] = os.getpid()
    if late:
        torch.set_num_threads(2)
        torch.backends.cudnn.benchmark = True
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        loss = model(torch.randn(4, 2)).square().mean()
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "model": model.state_dict()}
"""


def audit(folder: Path, *arguments: str) -> Ran:
    folder.mkdir(exist_ok=True)
    (folder / "t.py").write_text(TARGET)
    return reprocheck(
        "run", "-q", "--jobs", "2", "--threads", "1", "--format", "json", *arguments, "t.py:train", cwd=folder
    )


def without_volatile(ran: Ran) -> str:
    answer = ran.json()
    del answer["volatile"]
    return json.dumps(answer, indent=2)


@pytest.fixture(scope="module")
def reproducible(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Ran]:
    """Two audits, in one folder."""
    folder = tmp_path_factory.mktemp("reproducible")
    return audit(folder), audit(folder)


@pytest.fixture(scope="module")
def different(tmp_path_factory: pytest.TempPathFactory) -> Any:
    ran = audit(
        tmp_path_factory.mktemp("different"),
        "--arg",
        "pid=True",
        "--arg",
        "late=True",
        "--ambient",
        "fixed",
        "--no-explain",
    )
    assert ran.code == 1, ran.out + ran.err
    return ran.json()


def test_two_audits_of_a_reproducible_target_are_the_same_outside_volatile(reproducible: tuple[Ran, Ran]) -> None:
    first, second = reproducible
    assert (first.code, second.code) == (0, 0)
    assert without_volatile(first) == without_volatile(second)
    assert first.json()["volatile"] != second.json()["volatile"]
    assert first.out.isascii()
    assert first.out.endswith("}\n")


def test_the_keys_of_the_contract(reproducible: tuple[Ran, Ran]) -> None:
    answer = reproducible[0].json()
    assert answer["schema_version"] == 1
    assert (answer["verdict"], answer["exit_code"]) == ("reproducible", 0)
    assert answer["target"]["text"] == "t.py:train"
    assert answer["divergence"] is None
    assert answer["not_compared"] == []
    assert answer["compared"] == ["initial parameters", "steps", "outputs"]
    assert [finding for finding in answer["findings"] if finding["severity"] == "error"] == []
    (seed,) = answer["seeds"]
    assert seed["seed"] == 0
    assert [run["id"] for run in seed["runs"]] == ["s0r0", "s0r1"]
    for run in seed["runs"]:
        assert {"id", "init", "output", "steps", "metrics", "settings", "memory"} <= run.keys()
        assert len(run["init"]) == len(run["output"]) == len(run["steps"]["digest"]) == 32
        assert run["steps"]["count"] == 3
        assert run["metrics"].keys() == {"loss"}
        assert run["settings"]["threads"] == 1
        assert "rss_peak" in run["memory"]["measured"]
        assert answer["volatile"]["runs"][run["id"]]["memory"]["rss_peak"] > 2**20
    assert all(seed["runs"][0][key] == seed["runs"][1][key] for key in ("init", "output", "steps", "metrics"))


def test_a_divergence_names_the_tensors_and_their_values(different: Any) -> None:
    assert (different["verdict"], different["exit_code"]) == ("different", 1)
    divergence = different["divergence"]
    assert (divergence["stage"], divergence["step"], divergence["kind"]) == ("init", None, "parameters")
    assert divergence["names"] == ["weight"]
    assert divergence["runs"] == ["s0r0", "s0r1"]
    (tensor,) = divergence["tensors"]
    assert (tensor["name"], tensor["dtype"], tensor["shape"]) == ("weight", "float32", [1, 2])
    assert tensor["a"] != tensor["b"]
    values = tensor["values"]
    assert (values["different"], values["total"], values["index"]) == (1, 2, [0, 0])
    (sample,) = values["samples"]
    assert abs(float(sample["a"]) - float(sample["b"])) == values["max_abs"] >= 1
    assert different["findings"]


def test_settings_are_those_at_the_end(different: Any) -> None:
    for run in different["seeds"][0]["runs"]:
        assert run["settings"]["threads"] == 2
        assert run["settings"]["cudnn_benchmark"] is True
    assert different["asked"]["settings"]["threads"] == 1


@pytest.mark.slow
def test_the_folder_of_the_target_does_not_matter(tmp_path: Path, reproducible: tuple[Ran, Ran]) -> None:
    elsewhere = audit(tmp_path / "elsewhere", "--evidence", str(tmp_path / "kept"))
    assert without_volatile(elsewhere) == without_volatile(reproducible[0])


def test_tensors_without_readable_data_are_named_not_passed_over(tmp_path: Path) -> None:
    target = Path(__file__).parent.parent / "targets" / "clean" / "functional_vmap_grad.py"
    ran = reprocheck("run", "--threads", "1", "--no-explain", "--format", "json", f"{target}:train", cwd=tmp_path)
    assert ran.code == 0
    reasons = {item["what"]: item["reason"] for item in ran.json()["not_compared"]}
    assert reasons["initial 0.weight"] == "it stands for many values inside a torch.func transform"
