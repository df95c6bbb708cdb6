"""Child processes of a target: what trains where nobody looks is said in the first line; helpers are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import reprocheck

TARGET = """\
import os, subprocess, sys
import multiprocessing as mp
from concurrent.futures import ProcessPoolExecutor
import torch


def own():
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
    return float(model.weight.sum())


def feature(number):
    return float(torch.ones(2).sum()) * number


def nothing():
    pass


def forks():
    for child in (own, nothing):
        if os.fork() == 0:
            child()
            os._exit(0)
        os.wait()
    return own()


def starts(method):
    process = mp.get_context(method).Process(target=own)
    process.start()
    process.join()
    return own()


def spawns():
    return starts("spawn")


def uses_a_forkserver():
    return starts("forkserver")


def trains_in_a_pool():
    with ProcessPoolExecutor(1, mp_context=mp.get_context("spawn")) as pool:
        pool.submit(own).result()
    return own()


def runs_python():
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return own()


def becomes_another_program():
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", "import torch"])
    os.wait()
    return own()


def hides():
    subprocess.run(["sh", "-c", f"env -i {sys.executable} -c 'import torch' & sleep 4"])
    return own()


def launches():
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0", "rank.py"]
    subprocess.run(words, check=True)


def makes_features():
    with ProcessPoolExecutor(2, mp_context=mp.get_context("spawn")) as pool:
        print(list(pool.map(feature, range(4))))
    return own()


def uses_tools():
    subprocess.run([sys.executable, "-c", "print(1)"], check=True)
    subprocess.run(["sh", "-c", "true"], check=True)
    return own()
"""
ONE = "1 child process that used torch"


def audit(folder: Path, function: str, *options: str, code: int = 0) -> Any:
    (folder / "train.py").write_text(TARGET)
    (folder / "rank.py").write_text("import torch\n")
    arguments = ("run", "--no-explain", "--threads", "1", "--format", "json", *options, f"train.py:{function}")
    ran = reprocheck(*arguments, cwd=folder)
    assert ran.code == code, ran.out + ran.err
    return ran.json()


def test_a_forked_child_that_trains_is_reported(tmp_path: Path) -> None:
    answer = audit(tmp_path, "forks", "--strict", code=3)
    assert answer["verdict"] == "reproducible"
    assert answer["headline"] == f"REPRODUCIBLE in what was compared; not compared: {ONE}"
    assert answer["not_compared_results"] == [ONE]


@pytest.mark.slow
@pytest.mark.parametrize(
    "function", ["spawns", "uses_a_forkserver", "trains_in_a_pool", "runs_python", "becomes_another_program", "hides"]
)
def test_so_is_every_other_that_has_torch(function: str, tmp_path: Path) -> None:
    assert audit(tmp_path, function)["not_compared_results"] == [ONE]


@pytest.mark.slow
def test_without_anything_else_there_is_no_verdict(tmp_path: Path) -> None:
    answer = audit(tmp_path, "launches", code=3)
    assert answer["seeds"][0]["reason"].startswith("nothing was compared: no model, no step")
    assert [rank["rank"] for rank in answer["ranks"]] == [0, 1]
    ran = reprocheck("doctor", "train.py:launches", cwd=tmp_path)
    assert ran.code == 3
    assert "no optimizer step was seen; not looked at: 2 ranks of a distributed training" in ran.out


@pytest.mark.slow
@pytest.mark.parametrize("function", ["makes_features", "uses_tools"])
def test_helpers_are_no_loss(function: str, tmp_path: Path) -> None:
    assert audit(tmp_path, function, "--strict")["headline"] == "REPRODUCIBLE"
