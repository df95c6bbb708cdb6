"""Sketches and nudges of real runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from reprocheck.compare.drift import compare_sketches
from reprocheck.evidence.run import load_evidence
from reprocheck.evidence.sketch_file import load_sketch
from reprocheck.model import Evidence, Instruments, Interventions, Nudge, SketchWindow
from reprocheck.model.drift import Drift
from reprocheck.protocol import count_steps, digest_at, records
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
