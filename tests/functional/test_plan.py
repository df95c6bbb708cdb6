"""`reprocheck plan`, `worker` and `collect`: what two shells make of a plan is what `run` would have said."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import environment, reprocheck

TRAIN = """\
import os
import torch

def train(seed=0, noise=False, wait=0.0):
    import time
    torch.manual_seed(seed)
    model = torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.tensor(eval(open("data.txt").read()))
    for _ in range(2):
        loss = (model(x) ** 2).mean()
        if noise and os.environ["REPROCHECK_RUN"].endswith("r1"):
            loss = loss * 1.5
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        time.sleep(wait)
    return {"loss": loss.item(), "model": model}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "data.txt").write_text("[[1.0, 2.0, 3.0]]")
    return tmp_path


def start_worker(project: Path, run: str, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "reprocheck", "worker", run, *options],
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def make_runs(project: Path, *runs: str) -> None:
    for worker in [start_worker(project, run) for run in runs]:
        out, err = worker.communicate(timeout=300)
        assert worker.returncode == 0, out + err


def stable(text: str) -> str:
    content: dict[str, Any] = json.loads(text)
    content.pop("volatile")
    return json.dumps(content, sort_keys=True, indent=1)


@pytest.mark.parametrize(
    ("noise", "code"), [("False", 0), pytest.param("True", 1, marks=pytest.mark.slow)], ids=["equal", "different"]
)
def test_what_two_shells_make_is_what_run_says(project: Path, noise: str, code: int) -> None:
    asked = ("train.py:train", "--arg", f"noise={noise}")
    planned = reprocheck("plan", *asked, "--out", "plan", cwd=project)
    assert planned.code == 0, planned.err
    make_runs(project, "plan/run-0", "plan/run-1")
    moved = project / "elsewhere"  # as rsync would bring it back
    shutil.copytree(project / "plan", moved, symlinks=True)
    shutil.rmtree(project / "plan")
    collected = reprocheck("collect", "elsewhere", "--format", "json", cwd=project)
    assert collected.code == code, collected.err
    ran = reprocheck("run", *asked, "--no-explain", "--format", "json", cwd=project)
    assert ran.code == code, ran.err
    assert stable(collected.out) == stable(ran.out)


@pytest.mark.slow
def test_a_lost_job_is_a_lost_run_and_can_be_made_again(project: Path) -> None:
    asked = ("train.py:train", "--arg", "wait=30.0")
    assert reprocheck("plan", *asked, "--out", "plan", "--max-steps", "2", cwd=project).code == 0
    run = project / "plan" / "run-0"
    worker = start_worker(project, "plan/run-0")
    until = time.monotonic() + 120
    while not list(run.glob("start-*/s0r0/steps.bin")) and time.monotonic() < until:
        time.sleep(0.2)
    worker.kill()
    worker.communicate()
    found = reprocheck("collect", "plan", "--format", "json", cwd=project)
    assert found.code == 3
    assert found.json()["missing_runs"] == ["run-0", "run-1"]
    assert "and has not ended, or is half copied" in found.json()["seeds"][0]["runs"][0]["reason"]
    refused = reprocheck("worker", "plan/run-0", cwd=project)
    assert refused.code == 2
    assert "was started already, on " in refused.err
    killed = list(run.glob("start-*/s0r0/steps.bin"))
    again = start_worker(project, "plan/run-0", "--again")
    until = time.monotonic() + 120
    while list(run.glob("start-*/s0r0/steps.bin")) in ([], killed) and time.monotonic() < until:
        time.sleep(0.2)
    again.send_signal(signal.SIGTERM)  # as a scheduler takes its node back
    again.communicate(timeout=60)
    assert again.returncode == 130
    assert sorted(os.listdir(run)) == ["order.json"]


@pytest.mark.slow
def test_data_that_a_run_reads_is_that_of_the_plan(project: Path) -> None:
    (project / "notes.txt").write_text("one")
    assert reprocheck("plan", "train.py:train", "--out", "plan", cwd=project).code == 0
    (project / "notes.txt").write_text("nobody reads it")
    make_runs(project, "plan/run-0")
    (project / "data.txt").write_text("[[1.0, 2.0, 4.0]]")
    ran = reprocheck("worker", "plan/run-1", "--format", "json", cwd=project)
    assert ran.code == 3
    assert "data.txt is not as it was when the plan was made" in ran.json()["reason"]
    found = reprocheck("collect", "plan", cwd=project)
    assert found.code == 3
    assert "data.txt is not as it was" in found.out


@pytest.mark.slow
def test_submitit_starts_them_as_any_scheduler_would(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submitit = pytest.importorskip("submitit")
    assert reprocheck("plan", "train.py:train", "--out", "plan", cwd=project).code == 0
    monkeypatch.chdir(project)
    for name in set(os.environ) - set(environment()):
        monkeypatch.delenv(name)
    executor = submitit.AutoExecutor(folder=project / "logs", cluster="local")
    worker = submitit.helpers.CommandFunction([sys.executable, "-m", "reprocheck", "worker", "-q"], verbose=False)
    jobs = executor.map_array(worker, ["plan/run-0", "plan/run-1"])
    assert ["COMPLETE" in job.result() for job in jobs] == [True, True]
    found = reprocheck("collect", "plan", "--format", "json", cwd=project)
    assert (found.code, found.json()["verdict"]) == (0, "reproducible")
