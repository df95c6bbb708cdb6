"""`reprocheck params`: the run ends before its first step, and every tensor is told with what drew it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reprocheck.config.checks import DOCUMENT_FORMATS, any_of
from tests.support.cli import Ran, reprocheck

TRAININGS = """\
import torch
from torch import nn


def train():
    model = nn.Sequential(nn.Linear(64, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, 8))
    nn.init.xavier_normal_(model[0].weight)
    model[3].weight.requires_grad_(False)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    loss = model(torch.randn(16, 64)).square().mean()
    loss.backward()
    optimizer.step()
    open("stepped", "w").close()


def gan():
    one, other = nn.Linear(64, 64), nn.Linear(64, 64)
    extra = nn.Parameter(torch.zeros(3, 40))
    for model in (other, one):
        optimizer = torch.optim.Adam([*model.parameters(), extra])
        (model(one(torch.randn(2, 64))).mean() + extra.sum()).backward()
        optimizer.step()


def by_hand():
    weight = torch.randn(200, 10, requires_grad=True)
    for _ in range(2):
        loss = (torch.randn(4, 200) @ weight).square().mean()
        loss.backward()
        with torch.no_grad():
            weight -= 0.1 * weight.grad


def forward_only():
    with torch.no_grad():
        return nn.Linear(50, 40)(torch.ones(1, 50)).sum().item()


def nothing():
    return 1


def fails():
    raise ValueError("no data here")


def broken():
    model = nn.Linear(8, 8)
    with torch.no_grad():
        model.weight[0, 0] = float("nan")
        model.weight[1] = float("inf")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    try:
        model(torch.ones(1, 8)).sum().backward()
        optimizer.step()
    except BaseException:
        pass
    for _ in range(3):
        optimizer.step()
    open("stepped", "w").close()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "t.py").write_text(TRAININGS)
    return tmp_path


def params(folder: Path, *arguments: str, code: int = 0) -> Ran:
    ran = reprocheck("params", "--threads", "1", *arguments, cwd=folder)
    assert ran.code == code, ran.out + ran.err
    return ran


def by_name(answer: Any) -> dict[str, Any]:
    return {tensor["name"]: tensor for tensor in answer["tensors"]}


def test_a_training_is_reported_tensor_by_tensor_and_ends_before_its_first_step(folder: Path) -> None:
    answer = params(folder, "--format", "json", "t.py:train").json()
    assert not (folder / "stepped").exists()
    assert (answer["params_version"], answer["exit_code"], answer["stage"]) == (1, 0, "step")
    assert answer["findings"] == answer["notes"] == []
    tensors = by_name(answer)
    assert list(tensors)[:2] == ["0.weight", "0.bias"]
    drawn = tensors["0.weight"]
    assert (drawn["shape"], drawn["dtype"], drawn["device"]) == ([48, 64], "float32", "cpu")
    assert (drawn["kind"], drawn["module"], drawn["trainable"]) == ("parameter", "Linear", True)
    assert drawn["initialiser"]["schemes"][0] == "xavier_normal_()"
    assert drawn["std"] == pytest.approx((2 / 112) ** 0.5, rel=0.1)
    assert drawn["min"] < -0.3 < 0.3 < drawn["max"]
    assert abs(drawn["mean"]) < 0.01
    assert len(set(drawn["digests"].values())) == 2  # two seeds
    assert tensors["3.weight"]["trainable"] is False
    assert tensors["3.weight"]["initialiser"]["schemes"][0] == "default of Linear"
    moved = tensors["1.running_mean"]  # by the forward that came before
    assert (moved["kind"], moved["initialiser"]["family"]) == ("buffer", "zeros")
    assert len(set(moved["digests"].values())) == 1


def test_several_models_and_what_only_an_optimizer_holds(folder: Path) -> None:
    out = params(folder, "--seed", "5", "t.py:gan").out
    assert out.startswith("INITIAL WEIGHTS  t.py:gan  5 parameters of 8,440 numbers, 0 buffers; seed 5\n")
    lines = {line.split()[0]: line for line in out.splitlines() if line.startswith("  ")}
    names = ["Linear.weight", "Linear.bias", "Linear#2.weight", "Linear#2.bias", "optimizer.group0.parameter2"]
    assert [name for name in lines if name != "name"] == names
    assert lines["name"].split()[:5] == ["name", "shape", "dtype", "device", "seed"]
    assert lines["Linear.weight"].split()[1:4] == ["64x64", "float32", "cpu"]
    found = "default of Linear = kaiming_uniform_(a=sqrt(5)) = kaiming_uniform_(fan_out, a=sqrt(5))  high"
    assert lines["Linear#2.weight"].endswith(found)
    assert lines["optimizer.group0.parameter2"].split()[-2:] == ["zeros_", "high"]


@pytest.mark.slow
def test_without_an_optimizer(folder: Path) -> None:
    answer = params(folder, "--seeds", "1", "--format", "json", "t.py:by_hand").json()
    assert answer["stage"] == "backward"
    (leaf,) = answer["tensors"]
    assert (leaf["name"], leaf["shape"], leaf["initialiser"]["schemes"][0]) == ("leaf0", [200, 10], "normal_()")
    answer = params(folder, "--seeds", "1", "--format", "json", "t.py:forward_only").json()
    assert answer["stage"] == "forward"
    assert by_name(answer)["weight"]["initialiser"]["schemes"][0] == "default of Linear"


@pytest.mark.slow
def test_no_verdict_and_usage(folder: Path) -> None:
    ran = params(folder, "--seeds", "1", "t.py:nothing", code=3)
    assert "no parameter was seen: no model was called here, and no optimizer made a step" in ran.out
    ran = params(folder, "--seeds", "1", "t.py:fails", code=3)
    assert "the run with seed 0 failed: ValueError: no data here" in ran.out
    assert "did you mean train?" in params(folder, "t.py:trian", code=2).err
    assert f"--format must be {any_of(DOCUMENT_FORMATS)}" in params(folder, "--format", "xml", "t.py:train", code=2).err


def test_numbers_that_are_none_are_an_error_even_where_the_target_swallows_its_end(folder: Path) -> None:
    ran = params(folder, "--seeds", "1", "t.py:broken", code=1)
    assert ran.out.startswith("BAD INITIAL WEIGHTS  t.py:broken")
    assert "error[RC721]: parameters start with 1 NaN and 8 infinite values\n   | weight\n" in ran.out
    assert not (folder / "stepped").exists()


@pytest.mark.slow
def test_what_a_file_gave_its_values_is_reported_so(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(
        "import torch\nfrom torch import nn\n\n\ndef train():\n"
        "    body, head = nn.Linear(40, 30), nn.Linear(30, 4)\n"
        "    generator = torch.Generator().manual_seed(3)\n"
        "    body.load_state_dict({'weight': torch.randn(30, 40, generator=generator), 'bias': torch.zeros(30)})\n"
        "    model = nn.Sequential(body, head)\n"
        "    optimizer = torch.optim.SGD(model.parameters(), 0.1)\n"
        "    model(torch.ones(2, 40)).sum().backward()\n    optimizer.step()\n"
    )
    ran = reprocheck("params", "t.py:train", "--format", "json", "-q", cwd=tmp_path)
    assert ran.code == 0, ran.out + ran.err
    rows = {row["name"]: row for row in ran.json()["tensors"]}
    assert {name for name, row in rows.items() if row["loaded"]} == {"0.weight", "0.bias"}
    assert ran.json()["findings"] == []
    text = reprocheck("params", "t.py:train", "--seeds", "1", cwd=tmp_path).out
    assert "loaded; looks like normal_()" in text
