"""When garbage is collected is chance: models that nobody can reach any more make no difference.

Garbage is collected in the second run alone, by construction.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import reprocheck

HEAD = """\
import gc, os
import torch
from torch import nn
gc.disable()
def maybe_collect():
    if os.environ["REPROCHECK_RUN"].endswith("r1"):
        gc.collect()
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.head, self.own = nn.BatchNorm1d(4), nn.Linear(4, 1), [self]
        self.head.bias.requires_grad_(False)
    def forward(self, x):
        return self.head(self.norm(x))
torch.manual_seed(0)
def fit(teacher=None):
    model = Net()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    for step in range(4):
        x = torch.randn(8, 4)
        if step == 2:
            teacher = None
            maybe_collect()
        y = x.sum(1, keepdim=True) if teacher is None else teacher(x).detach()
        optimizer.zero_grad()
        (model(x) - y).pow(2).mean().backward()
        optimizer.step()
    with torch.no_grad():
        model(torch.randn(8, 4))  # in train mode: it moves the statistics
    return model
"""
KINDS = {
    "fold": "for _ in range(3):\n    fit()\n    maybe_collect()\n",
    "teacher": "fit(Net())\n",
    "trained teacher": "fit(fit())\n",
    "bare tensor": """
def bend(w):
    optimizer = torch.optim.SGD([w], lr=0.1)
    optimizer.own = [optimizer]
    for _ in range(2):
        optimizer.zero_grad()
        w.square().sum().backward()
        optimizer.step()
def main():
    w = torch.ones(3, requires_grad=True)
    bend(w), maybe_collect(), bend(w), maybe_collect()
main()
""",
    "fold without weights of its own": "Norm = nn.BatchNorm1d\nnn.BatchNorm1d = lambda n: Norm(n, affine=False)\n"
    "for _ in range(3):\n    fit()\n    maybe_collect()\n",
}


@pytest.mark.parametrize(
    "kind", [pytest.param("fold"), *(pytest.param(k, marks=pytest.mark.slow) for k in list(KINDS)[1:])]
)
def test_models_in_cycles(kind: str, tmp_path: Path) -> None:
    tmp_path.joinpath("t.py").write_text(HEAD + KINDS[kind])
    ran = reprocheck("run", "--no-explain", "--threads", "1", "t.py", cwd=tmp_path)
    assert ran.code == 0, ran.out + ran.err
