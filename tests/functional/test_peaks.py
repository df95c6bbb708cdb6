"""Peaks of memory: what a run that was forked from a template tells, beside the same script run by Python alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import environment, reprocheck

pytestmark = pytest.mark.own_templates

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
PEAK = "print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])\n"
CHILD = """\
pid = os.fork()
if not pid:
    filled = bytearray(b"1") * (600 << 20)
    os._exit(0)
os.waitpid(pid, 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.slow
def test_the_peak_of_a_forked_run_is_that_of_a_plain_one(tmp_path: Path) -> None:
    (tmp_path / "alone.py").write_text(TRAINING + PEAK)
    (tmp_path / "t.py").write_text(TRAINING + CHILD)
    env = {**environment(), "OMP_NUM_THREADS": "1"}
    # Not ru_maxrss: that has what the process that starts it held, until the other program takes its place.
    alone = subprocess.run([sys.executable, "alone.py"], cwd=tmp_path, env=env, capture_output=True, text=True)
    peak = 1024 * int(alone.stdout)
    ran = reprocheck("run", "-q", "t.py", "--threads", "1", "--no-explain", "--format", "json", cwd=tmp_path)
    memories = [run["memory"] for run in ran.json()["volatile"]["runs"].values()]
    assert len(memories) == 2
    for memory in memories:
        assert memory["rss_peak"] < memory["plain_rss_peak"]
        assert 0.9 < memory["plain_rss_peak"] / peak < 1.15
        assert memory["children_rss_peak"] > 600 << 20


@pytest.mark.slow
def test_a_small_program_that_a_run_starts_does_not_have_the_memory_of_the_run(tmp_path: Path) -> None:
    source = "import subprocess\nimport torch\nheld = torch.ones(50_000_000)\nsubprocess.run(['true'])\n"
    (tmp_path / "t.py").write_text(source + "def train():\n    return 1\n")
    ran = reprocheck("run", "-q", "t.py:train", "--no-explain", "--format", "json", cwd=tmp_path)
    assert [run["memory"]["children_rss_peak"] for run in ran.json()["volatile"]["runs"].values()] == [0, 0]
