"""--cached, with the real command: runs that need not be made are not made, and the report says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Ran, reprocheck

# Every process of the target leaves a mark outside of what it reads.
MARKED = """
import os, time
open(os.path.join({marker!r}, str(time.time_ns())), "x").close()
"""
PLAIN = """
from pathlib import Path

def train():
    return float(Path("x.txt").read_text())
"""
DIFFERENT = """
import os

def train():
    return float(os.getpid())
"""
LOADER = """
import torch
from pathlib import Path

class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, i):
        return torch.tensor([float(Path(f"rows/{i}.txt").read_text())])

def train():
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for batch in torch.utils.data.DataLoader(Rows(), batch_size=2, num_workers=1):
        loss = model(batch).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save(model.state_dict(), "model.pt")
    model.load_state_dict(torch.load("model.pt"))
    return loss
"""


class Project:
    """A folder with a target, and how often a process of it was started."""

    def __init__(self, folder: Path, code: str) -> None:
        self.folder = folder / "project"
        self.folder.mkdir()
        self.marker = folder / "marker"
        self.marker.mkdir()
        (self.folder / "t.py").write_text(MARKED.format(marker=str(self.marker)) + code)

    def run(self, *arguments: str) -> Ran:
        return reprocheck("run", "t.py:train", "--threads", "1", "--no-explain", *arguments, cwd=self.folder)

    def starts(self) -> int:
        """Since it was last asked."""
        marks = list(self.marker.iterdir())
        for mark in marks:
            mark.unlink()
        return len(marks)


def test_nothing_is_started_while_nothing_has_changed(tmp_path: Path) -> None:
    project = Project(tmp_path, PLAIN)
    (project.folder / "x.txt").write_text("1")
    plain = project.run("--format", "json")
    assert (plain.code, project.starts()) == (0, 2)
    for _ in range(2):  # the second time from a copy: the first audit is pruned
        cached = project.run("--cached", "--keep", "1", "--format", "json")
        assert (cached.code, project.starts()) == (0, 0)
        assert _stable(cached) == _stable(plain)
        earlier = {run["reused_from"] for run in cached.json()["volatile"]["runs"].values()}
        assert earlier == {Path(plain.json()["volatile"]["directory"]).name}
    text = project.run("--cached").out.splitlines()
    assert text[0].startswith("REPRODUCIBLE")
    assert text[1].startswith("  = reused: all 2 runs of audit ")

    (project.folder / "x.txt").write_text("2")
    changed = project.run("--cached")
    assert (changed.code, project.starts()) == (0, 2)
    assert "= run again: seed 0: " in changed.out.splitlines()[1]
    assert "x.txt has changed" in changed.out.splitlines()[1]


@pytest.mark.slow
def test_a_difference_is_seen_again(tmp_path: Path) -> None:
    project = Project(tmp_path, DIFFERENT)
    for _ in range(2):
        ran = project.run("--cached", "--no-explain", "--format", "json")
        assert (ran.code, project.starts()) == (1, 2)
    assert "has to be seen again" in ran.json()["volatile"]["run_again"]["0"]


@pytest.mark.slow
def test_what_workers_of_a_loader_read_counts(tmp_path: Path) -> None:
    project = Project(tmp_path, LOADER)
    (project.folder / "rows").mkdir()
    for row in range(4):
        (project.folder / "rows" / f"{row}.txt").write_text(f"{row}")
    assert project.run().code == 0
    project.starts()
    ran = project.run("--cached")
    assert project.starts() == 0, ran.out
    (project.folder / "rows" / "3.txt").write_text("5")
    ran = project.run("--cached")
    assert project.starts() == 2
    assert "3.txt has changed" in ran.out


@pytest.mark.parametrize(
    ("code", "output"),
    [
        ("import subprocess\nsubprocess.run(['true'])", "another program"),
        ("import os\nos.system('true')", "another program"),
        (
            "import socket\ns = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()\n"
            "socket.socket().connect(s.getsockname())",
            "the network",
        ),
        ("open('x.txt').read()\nopen('x.txt', 'w').write('2')", "changed while it ran"),
        ("import os\nopen('x.txt').read()\nos.remove('x.txt')", "which it had read"),
        ("import sqlite3\nsqlite3.connect('x.db').close()", "a database"),
        ("import os\npid = os.fork()\nif not pid:\n    os.system('true'); os._exit(0)\nos.waitpid(pid, 0)", "another"),
        ("open('y.txt', 'w').write('2')\nopen('y.txt').read()\nopen('x.txt').read()", ""),
    ],
)
def test_what_cannot_be_seen_is_an_obstacle(tmp_path: Path, code: str, output: str) -> None:
    body = "".join(f"    {line}\n" for line in code.splitlines())
    project = Project(tmp_path, f"def train():\n{body}    return 1.0\n")
    (project.folder / "x.txt").write_text("1")
    project.run("--repeats", "1")
    (evidence,) = project.folder.glob(".reprocheck/audits/*/s0r0/evidence.jsonl")
    (inputs,) = [line for line in map(json.loads, evidence.read_text().splitlines()) if line["record"] == "inputs"]
    assert [text for text in inputs["obstacles"] if output and output in text] or not (output or inputs["obstacles"])


def _stable(ran: Ran) -> Any:
    return {name: value for name, value in ran.json().items() if name != "volatile"}
