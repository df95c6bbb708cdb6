"""A small project with a history in git, for tests of --against: a trainer in the style of public ones."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

TRAIN = """\
import torch
from torch import nn

from pipeline.data import batches
from pipeline.model import Net


def train(seed: int = 0):
    torch.manual_seed(seed)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for x, y in batches():
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
    return {"model": model.state_dict(), "loss": loss.item()}
"""
DATA = """\
import torch


def batches():
    for _ in range(6):
        x = torch.randn(16, 8)
        yield x, x.sin().sum(dim=1, keepdim=True)
"""
MODEL = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(8, 32)
        self.heads = nn.ModuleList(nn.Linear(32, 1) for _ in range(8))

    def forward(self, x):
        hidden = self.inner(x).tanh()
        total = 0.0
        for head in self.heads:
            total = total + head(hidden)
        return total
"""
REFACTORED = TRAIN.replace(
    "    for x, y in batches():\n", "    # One pass over the data.\n\n    for x, y in batches():\n"
)
REORDERED = MODEL.replace("for head in self.heads:", "for head in reversed(self.heads):")
EXTRA_DRAW = DATA.replace(
    "        x = torch.randn(16, 8)\n",
    "        x = torch.randn(16, 8)\n        noise = torch.rand(1)  # for a log line\n",
)
HYPERPARAMETER = REFACTORED.replace("lr=0.05", "lr=0.04")


class Project:
    """The checkout, and how to commit to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.commit("start", {"train.py": TRAIN, "pipeline/data.py": DATA, "pipeline/model.py": MODEL})

    def git(self, *arguments: str) -> str:
        """Run git in the checkout."""
        identity = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def write(self, files: dict[str, str]) -> None:
        """Change files without a commit."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def commit(self, message: str, files: dict[str, str]) -> str:
        """Change files and commit them; the commit."""
        self.write(files)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")
