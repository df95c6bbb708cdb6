"""The evidence of the first k steps of a run is that of a run which was ended after k steps, whatever came later."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reprocheck.compare.runs import compare, cut
from reprocheck.evidence.run import load_evidence
from reprocheck.model import EnvironmentFactors, Evidence, Request, RunSpec, Settings, Status, Target, TargetKind
from reprocheck.protocol import RUN_VARIABLE, count_steps
from tests.functional.test_corpus import FOLDER, headers
from tests.support.cli import environment
from tests.support.launching import launched

SCRIPT_END = """

import torch
_best = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).eval()
with torch.no_grad():
    _best(torch.ones(1, 3))
_second = torch.optim.SGD(_best.parameters(), 0.1)
_best(torch.ones(1, 3)).sum().backward()
_second.step()
"""
FUNCTION_END = """

import functools
import torch
_train = train


@functools.wraps(_train)
def train(*args, **kwargs):
    result = _train(*args, **kwargs)
    best = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).eval()
    with torch.no_grad():
        best(torch.ones(1, 3))
    second = torch.optim.SGD(best.parameters(), 0.1)
    best(torch.ones(1, 3)).sum().backward()
    second.step()
    return result
"""
"""Load the best checkpoint and test it, then train on it: a second model and a second optimizer."""

FIRST_TIER = {"gan_two_optimizers"}
UNORDERED = {
    "stack_of_threads",
    "thread_outlives_main",
    "thread_pool_trains_models",
    "threads_train_separate_models",
}
"""Which steps are the first ones depends on the scheduling of their threads."""


def cases() -> list[object]:
    found = []
    for path in sorted(FOLDER.glob("clean/*.py")):
        head = headers(path)
        if path.stem not in UNORDERED and head["expect"] == "reproducible":
            marks = () if path.stem in FIRST_TIER else (pytest.mark.slow,)
            found.append(pytest.param(path, marks=marks, id=path.stem))
    return found


def spec_of(path: Path, folder: Path, name: str, max_steps: int | None) -> RunSpec:
    head = headers(path)
    script = head["target"] == "script"
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)  # what one run leaves is not there for the other
    shutil.copytree(path.parent, work, ignore=shutil.ignore_patterns("__pycache__"))
    with (work / path.name).open("a") as file:
        file.write(SCRIPT_END if script else FUNCTION_END)
    return RunSpec(
        id=name,
        seed=0,
        repeat=0,
        target=Target(
            text=path.name,
            kind=TargetKind.SCRIPT if script else TargetKind.FILE_FUNCTION,
            path=work / path.name,
            function=None if script else head["target"],
            argv=tuple(word.replace("{seed}", "0") for word in shlex.split(head.get("argv", ""))),
        ),
        settings=Settings(threads=1, timeout=200, max_steps=max_steps),
        ambient=EnvironmentFactors(hash_seed=0),
        environment={**environment(OMP_NUM_THREADS="1"), RUN_VARIABLE: f"{folder}/{name}"},
        cwd=work,
        directory=folder / ".reprocheck" / "audits" / "a" / name,
    )


def run(path: Path, folder: Path, name: str, max_steps: int | None = None) -> Evidence:
    [outcome] = launched([spec_of(path, folder, name, max_steps)], folder)
    assert outcome.status is Status.COMPLETED, f"{outcome.reason}\n{outcome.stderr_tail}"
    return load_evidence(outcome)


@pytest.mark.parametrize("path", cases())
def test_a_run_that_is_ended_early_has_the_evidence_of_the_first_steps(path: Path, tmp_path: Path) -> None:
    full = run(path, tmp_path, "full")
    count = count_steps(full.steps)
    for steps in sorted({1, max(1, count // 2)}):
        if steps >= count:
            continue
        short = run(path, tmp_path, f"short{steps}", steps)
        one, other = cut(full, steps), cut(short, steps)
        request = Request(target=full.spec.target, compare=())
        assert compare(one, other, request).divergence is None
        assert plain(one) == plain(other)


def plain(evidence: Evidence) -> dict[str, Any]:
    """What comparisons read; where the values of a tensor are kept is no part of it."""
    initial = {replace(record, offset=None, size=0) for record in evidence.initial}
    checkpoints = [replace(record, tensors=()) for record in evidence.checkpoints]
    return {"initial": initial, "checkpoints": checkpoints, "steps": bytes(evidence.steps),
            "optimizers": evidence.optimizers if len(evidence.optimizers) > 1 else ()}  # fmt: skip
