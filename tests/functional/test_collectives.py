"""On a traced replay of ranks: through which collective a difference went from one to the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import reprocheck

TARGET = """\
import sys, time
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

SCALE = 1 + (hash("scale") % 1000003) * 1e-6  # another one in every run


def scaled(grad):
    return grad * SCALE


def main(mode):
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    torch.manual_seed(0)
    model = DistributedDataParallel(torch.nn.Linear(4, 4))
    if mode == "in its own compute" and rank == 1:
        model.module.weight.register_hook(scaled)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    torch.manual_seed(rank)
    for step in range(2):
        x = torch.randn(8, 4)
        memory = x.numpy()
        dist.all_reduce(x)
        if mode == "on the way":
            memory[0, 0] += SCALE  # no operation of PyTorch: as if it had arrived so
        optimizer.zero_grad()
        model(x).pow(2).mean().backward()
        optimizer.step()
    time.sleep(0.3)
    dist.destroy_process_group()


main(sys.argv[1])
"""


def explained(folder: Path, mode: str) -> Any:
    (folder / "t.py").write_text(TARGET)
    arguments = ("--no-drift", "--explain-budget", "2", "--nproc", "2", "t.py", "--", mode)
    ran = reprocheck("run", "--format", "json", *arguments, cwd=folder, timeout=900)
    assert ran.code == 1, ran.out + ran.err
    return ran.json()


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(TARGET.splitlines(), 1) if text in line)


@pytest.mark.slow
def test_a_rank_that_differs_in_its_own_compute(tmp_path: Path) -> None:
    """Both ranks differ first in their gradients: which of them began it is seen from the collectives alone."""
    answer = explained(tmp_path, "in its own compute")
    assert [one["divergence"]["kind"] for one in answer["ranks"]] == ["gradients", "gradients"]
    spread = answer["explanation"]["spread"]
    assert (spread["op"], spread["group"], spread["step"], spread["line"]) == (
        "allreduce",
        "0",
        0,
        line_of("backward()"),
    )
    assert (spread["gave"], spread["got"], spread["origin_in"]) == ([1], [0, 1], 1)
    assert answer["explanation"]["origin"]["call"]["frames"][0]["location"]["line"] == line_of("grad * SCALE")


@pytest.mark.slow
def test_a_collective_that_gives_another_result(tmp_path: Path) -> None:
    spread = explained(tmp_path, "on the way")["explanation"]["spread"]
    assert (spread["op"], spread["sequence"], spread["line"]) == ("allreduce", 4, line_of("dist.all_reduce(x)"))
    assert (spread["gave"], spread["got"], spread["forms"]) == ([], [0, 1], ["float32[8, 4]"])
