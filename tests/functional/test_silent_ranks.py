"""A rank that does not come to a collective ends the run without a verdict, and with its line."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

import reprocheck.engine.ranks.silence as silence
from reprocheck import api
from reprocheck.model import Verdict

TARGET = """\
import os, sys, time
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


def wait_for_data():
    time.sleep(1000)


def main(mode):
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    model = DistributedDataParallel(torch.nn.Linear(4, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(4):
        if rank == 1 and step == 2:
            if mode == "sleeps":
                wait_for_data()
            elif mode == "is killed":
                os.kill(os.getpid(), 9)
            elif mode == "raises":
                raise ValueError("no more data")
            elif mode == "ends early":
                break
        optimizer.zero_grad()
        model(torch.ones(2, 4)).sum().backward()
        optimizer.step()
    dist.barrier()
    time.sleep(0.3)
    dist.destroy_process_group()


main(sys.argv[1])
"""
WAITS = "rank 0 waits there at t.py:27"


def is_rank(process: psutil.Process, folder: Path) -> bool:
    try:
        return "RANK" in process.environ() and Path(process.cwd()) == folder
    except psutil.Error:
        return False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("sleeps", ("rank 1 fell silent at t.py:8 in wait_for_data(), before all_reduce", WAITS)),
        ("is killed", ("rank 1 was ended by signal 9",)),
        ("raises", ("rank 1: ValueError: no more data at ", "t.py:23")),
        ("ends early", ("is not the same in all ranks: all_reduce of float[20] in rank 0", "barrier in rank 1")),
    ],
)
def test_a_rank_that_does_not_come(
    mode: str, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "SILENT_SECONDS", 8.0)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.py").write_text(TARGET)
    answer = api.audit("t.py", argv=[mode], nproc=2, explain=False)
    assert answer.verdict is Verdict.NO_VERDICT
    reason = answer.seeds[0].runs[0].reason
    assert all(word in reason for word in words), reason
    assert not list(tmp_path.rglob("ask"))
    assert not [one for one in psutil.process_iter() if is_rank(one, tmp_path)]
