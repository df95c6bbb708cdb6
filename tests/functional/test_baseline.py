"""`--baseline` and `--tolerance` with real trainings: what is written, what fails, where, and with which exit code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.cli import Ran, reprocheck

TRAINING = """\
import torch


def train():
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(30):
        optimizer.zero_grad()
        loss = model(torch.randn(4, 3)).square().mean()
        if step == CHANGED_AT:
            loss = loss * 1.5
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "model": model.state_dict()}
"""

NUMBERS = """\
import os


def train(value: float = 0.5):
    return {"loss": value, "name": "n"}


def varies():
    return {"loss": 0.5 + os.getpid() % 100_000 * 1e-12, "pid": os.getpid()}


def unlike():
    return {"loss": 0.5 + os.getpid() % 100_000 * 1e-12}
"""


def run(folder: Path, *argv: str, code: int) -> Ran:
    ran = reprocheck("run", "--ambient", "fixed", "--no-explain", "--threads", "1", *argv, cwd=folder)
    assert ran.code == code, ran.out + ran.err
    return ran


@pytest.fixture(scope="module")
def numbers_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("numbers")
    (folder / "t.py").write_text(NUMBERS)
    run(folder, "t.py:train", "--baseline", "b.json", "--update-baseline", code=0)
    return folder


@pytest.fixture
def numbers(numbers_once: Path, tmp_path: Path) -> Path:
    """A baseline of some numbers, in a folder of the test's own."""
    shutil.copytree(numbers_once, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baseline of the training as it was."""
    folder = tmp_path_factory.mktemp("training")
    change(folder, None)
    run(folder, "train.py:train", "--baseline", "b.json", "--update-baseline", code=0)
    return folder


def change(folder: Path, step: int | None) -> None:
    (folder / "train.py").write_text(TRAINING.replace("CHANGED_AT", str(step)))


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


@pytest.mark.slow
def test_a_training_is_as_it_was(training: Path) -> None:
    change(training, None)
    ran = run(training, "train.py:train", "--baseline", "b.json", "--format", "json", code=0)
    found = ran.json()["baseline"]
    assert (found["verdict"], found["updated"], found["packages"]) == ("reproducible", False, [])
    assert {part["what"]: part["state"] for part in found["seeds"][0]["parts"]} == dict.fromkeys(
        ("initial parameters", "steps", "outputs", "metrics"), "same"
    )
    content = json.loads((training / "b.json").read_text())
    (entry,) = content["classes"].values()
    assert {"torch", "numpy"} <= entry["packages"].keys()
    assert {"torch", "cpu", "cpu_capability", "threads", "platform"} <= entry["numerical_class"].keys()
    assert entry["seeds"]["0"]["steps"]["count"] == 30


@pytest.mark.slow
def test_a_change_is_placed_between_two_steps(training: Path) -> None:
    change(training, 17)
    ran = run(training, "train.py:train", "--baseline", "b.json", "--format", "json", code=1)
    first = ran.json()["baseline"]["seeds"][0]["first"]
    assert (first["stage"], first["from_step"], first["to_step"]) == ("step", 16, 17)
    assert [finding["code"] for finding in ran.json()["findings"]] == ["RC311"]
    names = {t["name"]: t["state"] for t in ran.json()["baseline"]["seeds"][0]["tensors"]}
    assert names["weight"] == names["bias"] == "same"
    assert names["model.weight"] == names["model.bias"] == "different"


@pytest.mark.slow
def test_on_another_machine_metrics_decide(training: Path) -> None:
    change(training, 17)
    other = json.loads((training / "b.json").read_text())
    (entry,) = other["classes"].values()
    entry["numerical_class"]["cpu"] = "Another"
    other["classes"] = {"another machine": entry}
    (training / "other.json").write_text(json.dumps(other))
    ran = run(training, "train.py:train", "--baseline", "other.json", code=3)
    assert "other numerical class" in ran.out
    assert "--tolerance loss=1%" in ran.out
    ran = run(training, "train.py:train", "--baseline", "other.json", "--tolerance", "loss=0.5", code=0)
    assert "compared with another class, by metrics alone: another machine" in ran.out
    run(training, "train.py:train", "--baseline", "other.json", "--tolerance", "loss=1e-12", code=1)


@pytest.mark.slow
def test_numbers_are_written_and_compared(numbers: Path) -> None:
    ran = run(numbers, "t.py:train", "--baseline", "b.json", code=0)
    assert "as in baseline b.json" in ran.out
    edit(numbers / "t.py", "value: float = 0.5", "value: float = 0.75")
    ran = run(numbers, "t.py:train", "--baseline", "b.json", code=1)
    assert "error[RC311]: the results are not those of baseline b.json" in ran.out
    assert "loss 0.5 -> 0.75" in ran.out
    run(numbers, "t.py:train", "--baseline", "b.json", "--tolerance", "loss=50%", code=0)
    ran = run(numbers, "t.py:train", "--baseline", "b.json", "--update-baseline", code=0)
    assert "baseline b.json: written" in ran.out
    run(numbers, "t.py:train", "--baseline", "b.json", code=0)


@pytest.mark.slow
def test_what_does_not_reproduce_is_not_written(numbers: Path) -> None:
    before = (numbers / "b.json").read_bytes()
    edit(numbers / "t.py", '"name": "n"', '"name": os.getpid()')
    ran = run(numbers, "t.py:train", "--baseline", "b.json", "--update-baseline", code=1)
    assert "not written: only what reproduces is kept" in ran.out
    assert (numbers / "b.json").read_bytes() == before
    ran = run(numbers, "t.py:train", "--baseline", "b.json", code=1)
    assert "the runs do not agree among themselves" in ran.out


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("t.py:train", "--baseline", "no.json"), "there is no baseline no.json"),
        (("t.py:train", "--update-baseline"), "--update-baseline needs a file to write"),
        (("t.py:varies", "--baseline", "b.json"), "target: t.py:train there, t.py:varies here"),
        (("t.py:train", "--arg", "value=2", "--baseline", "b.json"), "arguments: {} there"),
        (("t.py:train", "--seeds", "2", "--baseline", "b.json"), "seeds: 0 there, 0, 1 here"),
        (("t.py:train", "--max-steps", "2", "--baseline", "b.json"), "max_steps: not set there, 2 here"),
        (("t.py:train", "--baseline", "t.py"), "not valid JSON"),
        (("t.py:train", "--baseline", "."), "baseline"),
        (("t.py:train", "--tolerance", "near"), "--tolerance must be bitwise, close, ulp=N or METRIC=AMOUNT"),
        (("t.py:train", "--tolerance", "ulp=-1"), "--tolerance must have a number of steps"),
    ],
)
def test_what_is_refused_before_anything_is_run(numbers: Path, argv: tuple[str, ...], says: str) -> None:
    audits = list((numbers / ".reprocheck" / "audits").iterdir())
    ran = run(numbers, *argv, code=2)
    assert says in ran.err
    assert ran.out == ""
    assert list((numbers / ".reprocheck" / "audits").iterdir()) == audits


@pytest.mark.slow
def test_an_update_in_a_configuration_is_refused(numbers: Path) -> None:
    (numbers / "pyproject.toml").write_text('[tool.reprocheck]\nbaseline = "b.json"\ntolerance = ["loss=1"]\n')
    (numbers / "sub").mkdir()
    assert "as in baseline" in run(numbers, "t.py:train", code=0).out
    edit(numbers / "pyproject.toml", "tolerance", "update-baseline = true\ntolerance")
    assert "would let every audit pass" in run(numbers, "t.py:train", code=2).err


@pytest.mark.slow
def test_runs_within_a_tolerance_of_each_other_agree(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(NUMBERS)
    run(tmp_path, "t.py:unlike", code=1)
    ran = run(tmp_path, "t.py:unlike", "--tolerance", "loss=1e-6", code=0)
    assert "within the tolerance, with different bits: loss" in ran.out
    run(tmp_path, "t.py:unlike", "--tolerance", "loss=0", code=1)
    run(tmp_path, "t.py:unlike", "--tolerance", "close", code=0)  # at most 1e-7 apart
    run(tmp_path, "t.py:varies", "--tolerance", "loss=1e-6", code=1)  # the process number is another output


TENSORS = """\
import torch


def train(amount: float = 2e-7, keep: bool = True):
    with open("count", "a+") as file:
        file.seek(0)
        count = len(file.read())
        file.write("x")
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.ones(4, 3) * (1 + amount * count)
    model(x).square().mean().backward()
    optimizer.step()
    return model.state_dict() if keep else None
"""


@pytest.mark.slow
def test_tensors_within_a_tolerance_agree_where_values_can_be_measured(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(TENSORS)
    run(tmp_path, "t.py:train", code=1)
    ran = run(tmp_path, "t.py:train", "--tolerance", "close", code=0)
    assert "within the tolerance, with different bits: " in ran.out
    run(tmp_path, "t.py:train", "--tolerance", "ulp=1", "--arg", "amount=1e-3", code=1)
    ran = run(tmp_path, "t.py:train", "--tolerance", "close", "--arg", "keep=False", code=3)
    assert "no output was compared that a tolerance could be measured on" in ran.out
