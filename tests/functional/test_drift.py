"""Sketches and nudges of real runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reprocheck.compare.drift import compare_sketches
from reprocheck.compare.growth import growth_of
from reprocheck.evidence.run import load_evidence
from reprocheck.evidence.sketch_file import load_sketch
from reprocheck.model import Evidence, Instruments, Interventions, Nudge, SketchWindow
from reprocheck.model.drift import Drift, Growth, Trend
from reprocheck.protocol import count_steps, digest_at, records
from tests.support.cli import reprocheck
from tests.support.probed import probed

WITH_OPTIMIZER = """
import torch

def train():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 40), torch.nn.ReLU(), torch.nn.Linear(40, 2))
    x, y = torch.randn(16, 8), torch.randint(2, (16,))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with torch.no_grad():
        model(x)
    for _ in range(5):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
"""
BY_HAND = """
import torch

def train():
    torch.manual_seed(0)
    x, w = torch.randn(16, 8), torch.randn(8, requires_grad=True)
    for _ in range(5):
        loss = (x @ w).square().mean()
        loss.backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
            w.grad = None
    return w
"""
WITHOUT_MODEL = """
import torch

def train():
    torch.manual_seed(0)
    x, w = torch.randn(16, 8), torch.nn.Parameter(torch.randn(8))
    optimizer = torch.optim.Adam([w], 0.1)
    for _ in range(5):
        optimizer.zero_grad()
        (x @ w).square().mean().backward()
        optimizer.step()
"""


def run(folder: Path, source: str, name: str, nudge: Nudge | None = None) -> Evidence:
    instruments = Instruments(sketch=SketchWindow())
    outcome = probed(folder, source, Interventions(nudge=nudge), instruments=instruments, name=name)
    found = load_evidence(outcome)
    assert found.unobserved == ()
    return found


def drift(a: Evidence, b: Evidence) -> Drift:
    return compare_sketches(load_sketch(a.spec.directory), load_sketch(b.spec.directory))


def parameters(evidence: Evidence) -> list[bytes]:
    return [digest_at(record, 5) for record in records(evidence.steps)][: count_steps(evidence.steps)]


@pytest.mark.parametrize("source", [WITH_OPTIMIZER, BY_HAND, WITHOUT_MODEL])
def test_a_sketch_changes_nothing_and_a_nudge_moves_by_one_ulp_at_its_step(tmp_path: Path, source: str) -> None:
    plain = load_evidence(probed(tmp_path, source, Interventions(), name="plain"))
    a, again = run(tmp_path, source, "a"), run(tmp_path, source, "again")
    assert parameters(a) == parameters(plain)
    same = drift(a, again)
    assert (same.first, len(same.parameters.steps), len(same.gradients.steps)) == (None, 5, 5)
    assert len(same.loss.steps) == 5
    twin = run(tmp_path, source, "twin", Nudge(step=3, key=1))
    assert [x == y for x, y in zip(parameters(a), parameters(twin), strict=True)] == [True] * 3 + [False] * 2
    found = drift(a, twin)
    assert found.first == 3
    assert 1e-9 < found.parameters.distances[3] < 1e-6


def test_a_nudge_of_initial_parameters_comes_before_the_first_training_forward(tmp_path: Path) -> None:
    a, twin = run(tmp_path, WITH_OPTIMIZER, "a"), run(tmp_path, WITH_OPTIMIZER, "twin", Nudge(step=0, key=1))
    found = drift(a, twin)
    assert found.first == 0
    assert 1e-9 < found.gradients.distances[0] < 1e-5


TRAINING = """
import os
import torch

def train(kind: str = "halves", rate: float = 0.1, steps: int = 60, seed: int = 0):
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(256, 64, generator=generator)
    y = x[:, :10].argmax(1)
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), rate)
    other = int(os.environ["PYTHONHASHSEED"]) % 2 == 0  # in the second run
    loss_of = torch.nn.functional.cross_entropy
    for step in range(steps):
        i = torch.arange(step * 32, step * 32 + 32) % 256
        if kind == "order" and other and step == 5:
            i = (i + 5) % 256
        optimizer.zero_grad()
        if kind == "halves" and other and step >= 5:  # as two processes and an allreduce sum it up
            loss = (loss_of(model(x[i][:16]), y[i][:16]) + loss_of(model(x[i][16:]), y[i][16:])) / 2
        elif kind == "race":
            loss = loss_of(model(x[i]), y[i]) * (1 + 1e-7 * torch.tensor(list(os.urandom(1))[0] % 64))
        else:
            loss = loss_of(model(x[i]), y[i])
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return {"loss": float(loss_of(model(x), y))}
"""


def audited(folder: Path, *options: str) -> dict[str, Any]:
    (folder / "training.py").write_text(TRAINING, encoding="utf-8")
    ran = reprocheck("run", "training.py:train", "--format=json", "--threads=1", *options, cwd=folder)
    assert ran.code == 1, ran.err
    found: dict[str, Any] = ran.json()
    return found


@pytest.mark.slow
def test_sums_in_another_order_are_within_what_rounding_does(tmp_path: Path) -> None:
    found = audited(tmp_path)["drift"]
    assert found["floor"]["size"] == "within"
    assert (found["floor"]["twins"], found["runs"], found["reproduces"]) == (5, 7, True)
    assert found["first_step"] == 5
    assert "within what rounding does here" in found["sentence"]
    assert "standard deviation" not in found["sentence"]


@pytest.mark.slow
def test_another_batch_is_not_rounding(tmp_path: Path) -> None:
    found = audited(tmp_path, "--arg=kind=order", "--seeds=3")["drift"]
    assert found["floor"]["size"] == "beyond"
    assert found["floor"]["onset_ratio"] > 1e4
    assert found["floor"]["twins"] == 1
    assert "not rounding" in found["sentence"]
    assert "of one standard deviation over 3 seeds" in found["sentence"]


@pytest.mark.slow
def test_another_batch_is_not_rounding_where_the_training_is_unstable(tmp_path: Path) -> None:
    """There one ULP comes as far in the end."""
    found = audited(tmp_path, "--arg=kind=order", "--arg=rate=1.5")["drift"]
    assert found["floor"]["size"] == "beyond"


@pytest.mark.slow
def test_a_training_that_differs_with_everything_equal_has_no_floor_without_a_fix(tmp_path: Path) -> None:
    found = audited(tmp_path, "--arg=kind=race")["drift"]
    assert not found["reproduces"]
    assert (found["floor"]["cause_held"], found["floor"]["twins"] > 0) in ((True, True), (False, False))
    if not found["floor"]["twins"]:
        assert found["floor"]["size"] == "unknown"
        assert "what rounding alone does is not known" in found["sentence"]


@pytest.mark.slow
def test_a_budget_that_ends_leaves_fewer_twins_and_says_so(tmp_path: Path) -> None:
    found = audited(tmp_path, "--explain-budget=9")["drift"]
    assert found["floor"]["twins"] < 5
    assert "--explain-budget 9 was used up" in found["sentence"]


@pytest.mark.slow
def test_it_is_asked_by_itself_only_where_steps_follow(tmp_path: Path) -> None:
    assert audited(tmp_path, "--arg=steps=10")["drift"] is None
    assert audited(tmp_path, "--no-drift")["drift"] is None
    assert audited(tmp_path, "--arg=steps=10", "--drift")["drift"]["floor"]["twins"] == 5


DIGITS = """
import torch
from sklearn.datasets import load_digits
from torch import nn

def train():
    torch.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(labels)
    layers = {
        "mlp": [nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)],
        "norm": [
            *(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.Conv2d(16, 32, 3), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10)),
        ],
    }
    model = nn.Sequential(*layers["MODEL"])
    optimizer = torch.optim.OPTIMIZER
    generator = torch.Generator().manual_seed(1)
    for _ in range(200):
        i = torch.randint(1400, (64,), generator=generator)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[i]), y[i]).backward()
        optimizer.step()
"""


def digits(folder: Path, model: str, optimizer: str) -> tuple[Drift, Growth]:
    """A twin of a training on digits, moved before its first step."""
    source = DIGITS.replace("MODEL", model).replace("OPTIMIZER", optimizer)
    found = drift(run(folder, source, "a"), run(folder, source, "twin", Nudge(step=0, key=1)))
    return found, growth_of(found)


@pytest.mark.slow
def test_what_one_ulp_does_to_trainings_on_digits_differs_by_orders_of_magnitude(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    found, growth = digits(folders[0], "mlp", "SGD(model.parameters(), 0.05)")
    assert 1e-8 < found.parameters.distances[0] < 1e-6
    assert 5e-8 < growth.end < 1e-4
    assert growth.jump is None
    _, growth = digits(folders[1], "mlp", "SGD(model.parameters(), 0.5, momentum=0.9)")
    assert growth.trend is Trend.GROWS
    assert growth.end > 1e-3
    # The biases before a normalization have gradients of rounding alone.
    _, growth = digits(folders[2], "norm", "Adam(model.parameters(), 1e-3)")
    assert growth.jump is not None
    assert growth.jump.signs
    assert growth.jump.step == 0
    assert 1e-5 < growth.jump.after < 1e-2
    assert growth.end < 100 * growth.jump.after
