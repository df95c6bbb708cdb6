"""`--engine`: real jobs of submitit and Ray. What they make is what `run` says, byte for byte."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support import slurm
from tests.support.cli import environment, reprocheck

pytestmark = pytest.mark.slow

TRAIN = """\
import os
import time
import torch

def train(seed=0, noise=False, wait=0.0):
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(64, 8), torch.nn.Softmax(-1), torch.nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(64, 64)
    order = list({"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"}) if noise else ["alpha"]
    for _ in range(2):
        loss = (model(x) ** 2).mean() * len(order[0])
        if noise:
            loss = loss + sum(hash(word) % 1000 * number for number, word in enumerate(order)) * loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        time.sleep(wait)
    return {"loss": loss.item(), "model": model}
"""
LOCAL = ("--engine", "local")
SLURM = ("--engine", "slurm", "--engine-arg", "cluster=local")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(TRAIN)
    return tmp_path


def stable(text: str) -> str:
    content: dict[str, Any] = json.loads(text)
    content.pop("volatile")
    return json.dumps(content, sort_keys=True, indent=1)


@pytest.mark.parametrize("noise", ["False", "True"], ids=["equal", "different"])
def test_a_plain_run_says_the_same(project: Path, noise: str) -> None:
    asked = ("train.py:train", "--threads", "1", "--no-drift", "--arg", f"noise={noise}", "--format", "json")
    ran = reprocheck("run", *asked, cwd=project)
    assert ran.code == (noise == "True"), ran.err
    here = reprocheck("run", *asked, *LOCAL, cwd=project)
    assert (here.code, stable(here.out)) == (ran.code, stable(ran.out)), here.err
    if noise == "True":
        assert here.json()["explanation"]["runs"] > 0
        return
    pytest.importorskip("submitit")
    array = reprocheck("run", *asked, *SLURM, cwd=project)
    assert (array.code, stable(array.out)) == (ran.code, stable(ran.out)), array.err


def test_ray_makes_each_run_in_a_process_with_the_threads_of_the_caller(project: Path) -> None:
    pytest.importorskip("ray")
    asked = ("train.py:train", "--format", "json")
    ran = reprocheck("run", *asked, cwd=project)
    tasks = reprocheck("run", *asked, "--engine", "ray", cwd=project)
    assert (tasks.code, stable(tasks.out)) == (ran.code, stable(ran.out)), tasks.err


def test_slurm_gets_one_array_and_a_node_that_fails_is_a_lost_run(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pytest.importorskip("submitit")
    asked = ("train.py:train", "--no-explain", "--format", "json")
    engine = ("--engine", "slurm", "--engine-arg", "partition=gpu", "--engine-arg", "mem_gb=4")
    ran = reprocheck("run", *asked, cwd=project)
    first, second = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    array = reprocheck("run", *asked, *engine, cwd=project, env=environment(PATH=slurm.install(first)))
    assert (array.code, stable(array.out)) == (ran.code, stable(ran.out)), array.err
    submitted = (first / "slurm" / "submitted.sh").read_text().splitlines()
    assert {"#SBATCH --partition=gpu", "#SBATCH --mem=4GB", "#SBATCH --time=1440"} <= set(submitted)
    assert any(line.startswith("#SBATCH --array=0-1%") for line in submitted)
    lost = environment(PATH=slurm.install(second), **{slurm.LOST: "1"})
    found = reprocheck("run", *asked, *engine, cwd=project, env=lost)
    assert found.code == 3, found.err
    assert "was lost: job 4000_1 ended as node_fail" in found.json()["seeds"][0]["runs"][1]["reason"]


def test_planned_runs_are_explained_on_their_class_alone(project: Path) -> None:
    asked = ("train.py:train", "--threads", "1", "--arg", "noise=True")
    assert reprocheck("plan", *asked, "--out", "plan", cwd=project).code == 0
    for run in ("plan/run-0", "plan/run-1"):
        assert reprocheck("worker", run, cwd=project).code == 0
    ran = reprocheck("run", *asked, "--no-drift", "--format", "json", cwd=project)
    found = reprocheck("collect", "plan", "--explain", "--no-drift", "--format", "json", cwd=project)
    assert (found.code, stable(found.out)) == (1, stable(ran.out)), found.err
    other = environment(ATEN_CPU_CAPABILITY="default")
    elsewhere = reprocheck("collect", "plan", "--explain", "--format", "json", cwd=project, env=other)
    assert elsewhere.code == 1
    assert elsewhere.json()["explanation"] is None
    (said,) = (item for item in elsewhere.json()["not_compared"] if item["what"] == "explanation")
    assert "the runs were made on numerical class A" in said["reason"]
    assert "this machine is of another one: cpu_capability" in said["reason"]
    (project / "train.py").write_text(TRAIN + "\n")
    changed = reprocheck("collect", "plan", "--explain", "--format", "json", cwd=project)
    assert "train.py is not as it was when the plan was made" in changed.out


def start(project: Path, *engine: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "reprocheck", "run", "train.py:train", "--arg", "wait=300.0", *engine],
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 200
    while not list(project.glob(".reprocheck/audits/*/plan/run-*/start-*/s0r*/steps.bin")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.2)
    return process


def workers(project: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(project) in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("engine", [LOCAL, SLURM, ("--engine", "slurm")], ids=["local", "submitit", "slurm"])
def test_an_interrupt_cancels_what_was_submitted(
    project: Path,
    engine: tuple[str, ...],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", slurm.install(tmp_path_factory.mktemp("commands")))
    process = start(project, *engine)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, out + err
    until = time.monotonic() + 60
    while workers(project) and time.monotonic() < until:
        time.sleep(0.2)
    assert not workers(project)


def test_a_job_that_is_killed_is_a_lost_run(project: Path) -> None:
    process = start(project, "--engine", "local", "--jobs", "1", "--timeout", "20")
    worker = next(one for one in workers(project) if "worker" in one.cmdline())
    os.kill(worker.pid, signal.SIGKILL)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 3, out + err
    assert "was lost: signal 9 ended its job" in out


def test_cost_is_one_job(project: Path) -> None:
    asked = ("train.py:train", "--rounds", "2", "--only", "seeded", "--threads", "1", "--format", "json")
    ran = reprocheck("cost", *asked, "--engine", "local", cwd=project)
    assert ran.code == 0, ran.err
    assert list(ran.json()["volatile"]["prices"]) == ["plain", "plain again", "seeded"]
