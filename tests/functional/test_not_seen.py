"""What trains where no evidence is taken any more, or not yet: the first line says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import reprocheck

HEAD = """\
import atexit, os, sys
import torch
D = os.environ["REPROCHECK_RUN"].endswith("r1")


def fit(shift=0.0):
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(8, 4) + shift).mean().backward()
        optimizer.step()
    return model

"""
AGAIN = """
if not os.environ.get("AGAIN"):
    fit(D)
    os.environ["AGAIN"] = "1"
    os.execv(sys.executable, [sys.executable, *sys.argv])
fit()
"""
BARE = """
x, y = torch.ones(8, 4), torch.zeros(8)
fit()
def go():
    w = torch.ones(4, requires_grad=True)
    for n in range(3):
        g, = torch.autograd.grad(((x @ w - y) ** 2).mean(), w)
        w = (w - g * (2 if D and n == 2 else 1)).detach().requires_grad_()
"""
CLOSURE = """
def averaging():
    average = torch.zeros(2, 4)
    def update(model):
        average.add_(model.weight.detach() + D)
    return update
update = averaging()
update(fit())
"""
BARE_ONLY = BARE.replace("fit()\n", "") + "go()\n"
METRICS = """
class Log:
    rows = []
    def add(self, value): self.rows.append({"accuracy": value})
log = Log()
fit(); log.add(0.5 + D)
"""
STDERR = "fit()\nprint('accuracy', 0.5 + D, file=sys.stderr)\n"
CASES = {
    "at exit": ("atexit.register(fit, D)\nfit()\n", 0, "not compared: training after the end"),
    "before a new start": (AGAIN, 0, "not compared: training before the script started itself again"),
    "bare tensors": (BARE_ONLY, 0, "not compared: the last update of tensors trained by hand"),
    "a closure": (CLOSURE, 1, ""),
    "metrics in a global": (METRICS, 0, "variables differ, and count only with --compare variables"),
    "standard error": (STDERR, 0, "standard error differs, and counts only with --compare stderr"),
}


@pytest.mark.parametrize("name", ["at exit", *(pytest.param(n, marks=pytest.mark.slow) for n in list(CASES)[1:])])
def test_it_is_seen_or_reported(name: str, tmp_path: Path) -> None:
    code, expected, first = CASES[name]
    (tmp_path / "t.py").write_text(HEAD + code, encoding="utf-8")
    ran = reprocheck("run", "t.py", "--no-explain", "--threads", "1", cwd=tmp_path)
    assert ran.code == expected
    assert first in ran.out.splitlines()[0]
