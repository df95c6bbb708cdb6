"""Peaks of memory: what a run that was forked from a template tells, beside the same script run by Python alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.support.cli import environment, reprocheck

TRAINING = """\
import os
import torch

model = torch.nn.Linear(100, 100)
optimizer = torch.optim.Adam(model.parameters())
for _ in range(3):
    optimizer.zero_grad()
    model(torch.randn(64, 100)).square().mean().backward()
    optimizer.step()
"""
CHILD = """\
pid = os.fork()
if not pid:
    filled = bytearray(b"1") * (600 << 20)
    os._exit(0)
os.waitpid(pid, 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_the_peak_of_a_forked_run_is_that_of_a_plain_one(tmp_path: Path) -> None:
    (tmp_path / "alone.py").write_text(TRAINING)
    (tmp_path / "t.py").write_text(TRAINING + CHILD)
    env = {**environment(), "OMP_NUM_THREADS": "1"}
    pid = os.posix_spawn(sys.executable, [sys.executable, str(tmp_path / "alone.py")], env)
    _, status, usage = os.wait4(pid, 0)
    assert status == 0
    ran = reprocheck("run", "-q", "t.py", "--threads", "1", "--no-explain", "--format", "json", cwd=tmp_path)
    memories = [run["memory"] for run in ran.json()["volatile"]["runs"].values()]
    assert len(memories) == 2
    for memory in memories:
        assert memory["rss_peak"] < memory["plain_rss_peak"]
        assert 0.9 < memory["plain_rss_peak"] / (usage.ru_maxrss * 1024) < 1.15
        assert memory["children_rss_peak"] > 600 << 20
