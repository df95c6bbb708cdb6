"""What a run makes is seen: models that nobody calls again, calls that no backward follows, state of optimizers.

The second run of each target differs by construction.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import reprocheck

HEAD = """\
import copy, os, sys, threading
import numpy as np
import torch
from torch import nn
E = float(os.environ.get("REPROCHECK_RUN", "").endswith("r1"))
def small(steps=3, opt=None, m=None):
    torch.manual_seed(0)
    m = m or nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2))
    o = opt(m) if opt else torch.optim.SGD(m.parameters(), lr=.1, momentum=.9)
    for i in range(steps):
        o.zero_grad(); l = (m(torch.randn(8, 4)) ** 2).mean(); l.backward(); o.step()
    return m, o, l.item()
def edit(m):
    with torch.no_grad():
        next(m.parameters()).add_(E)
def own():
    small(opt=lambda m: Own(m.parameters()))
class Own(torch.optim.Optimizer):
    def __init__(self, params):
        super().__init__(params, {})
    @torch.no_grad()
    def step(self, closure=None):
        self.during()
        for group in self.param_groups:
            for p in group["params"]:
                p -= .1 * p.grad
                self.of(p)
    def during(self): pass
    def of(self, p): pass
class Hidden(nn.Linear):
    def forward(self, x): return super().forward(x) + self.hidden[0]
hidden = Hidden(4, 2); hidden.hidden = [E]
"""

KINDS = {
    "evaluation with gradients": "small()\nout = [hidden(torch.randn(8, 4)) for _ in range(3)]",
    "evaluation with gradients between steps": """
def model(m=nn.Linear(4, 2)):
    return m
o = torch.optim.SGD(model().parameters(), lr=.1)
for _ in range(3):
    hidden(torch.ones(2, 4))
    o.zero_grad(); model()(torch.ones(8, 4)).mean().backward(); o.step()
""",
    "attack": """
m = nn.Linear(4, 2).eval(); x = torch.randn(8, 4); d = (torch.zeros(8, 4) + E).requires_grad_()
for _ in range(3):
    g, = torch.autograd.grad(m(x + d).pow(2).mean(), d)
    d = (d + .1 * g.sign()).detach().requires_grad_()
""",
    "slope": """
m = nn.Linear(4, 2); x = torch.ones(1, 4, requires_grad=True)
torch.autograd.grad(m(x).sum() * (1 + E), x)
""",
    "functional call": """
m = nn.Linear(4, 2); p = {k: v.detach() + E for k, v in m.named_parameters()}
torch.func.functional_call(m, p, (torch.ones(1, 4),))
""",
    "torch.func.grad": """
m = nn.Linear(4, 2); p = {k: v.detach() + E for k, v in m.named_parameters()}
torch.func.grad(lambda p: torch.func.functional_call(m, p, (torch.ones(1, 4),)).square().sum())(p)
""",
    "torch.func.vmap": "m = nn.Linear(4, 2)\ntorch.func.vmap(lambda x: m(x * (1 + E)))(torch.ones(3, 4))",
    "average in a global": "m, o, l = small(); ema = copy.deepcopy(m); edit(ema)",
    "average in main": "def main():\n    m, o, l = small(); ema = copy.deepcopy(m); edit(ema)\nmain()",
    "average in a dict": "m, o, l = small(); ema = {k: v + E for k, v in m.state_dict().items()}",
    "average in a list": "m, o, l = small(); ema = [p.detach() + E for p in m.parameters()]",
    "average in an object": """
class Ema:
    def __init__(self, m): self.shadow = {k: v + E for k, v in m.state_dict().items()}
m, o, l = small(); ema = Ema(m)
""",
    "AveragedModel": "m, o, l = small(); a = torch.optim.swa_utils.AveragedModel(m); a.update_parameters(m); edit(a)",
    "frozen model never called": "small(); f = nn.Linear(4, 3).requires_grad_(False); edit(f)",
    "edit in main": "def main():\n    m, o, l = small(); edit(m)\nmain()",
    "buffer in main": "def main():\n    m, o, l = small(); m[1].running_mean.add_(E)\nmain()",
    "edit, then deleted": "m, o, l = small(); edit(m); del m, o",
    "cycle": "def main():\n    m, o, l = small(); m.__dict__['me'] = m; edit(m)\nmain()",
    "an earlier state that is restored": """
def main():
    m = nn.Linear(4, 2); states = []
    for _ in range(3): small(1, m=m); states.append(copy.deepcopy(m.state_dict()))
    m.load_state_dict(states[int(E)])
main()
""",
    "buffers alone, in a cycle": """
import gc
def main():
    m = nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2, affine=False)); m.__dict__['me'] = m[1].__dict__['top'] = m
    small(m=m); m[1].running_mean.add_(E)
main(); gc.collect()
""",
    "closure": "def main():\n    m, o, l = small(); edit(m)\n    return lambda: m\nkept = main()",
    "earlier fold": "def fold(last):\n    m, o, l = small(); last or edit(m)\nfold(False); fold(True)",
    "model with a destructor": """
class M(nn.Module):
    def __init__(self): super().__init__(); self.a = nn.Linear(4, 2)
    def forward(self, x): return self.a(x)
    def __del__(self): pass
def main():
    m, o, l = small(m=M()); edit(m)
main()
""",
    "model of a thread": """
def work():
    m, o, l = small(); edit(m)
t = threading.Thread(target=work); t.start(); t.join()
""",
    "model kept by a thread's object": """
class T(threading.Thread):
    def run(self): self.m, self.o, self.l = small(); edit(self.m)
t = T(); t.start(); t.join()
""",
    "bare tensors with an optimizer": """
def main():
    w = torch.ones(3, requires_grad=True); o = torch.optim.SGD([w], lr=.1)
    for _ in range(2): o.zero_grad(); w.square().sum().backward(); o.step()
    with torch.no_grad(): w.add_(E)
main()
""",
    "bare tensors by hand": """
w = torch.ones(3, requires_grad=True)
for _ in range(2):
    w.grad = None; w.square().sum().backward()
    with torch.no_grad(): w -= .1 * w.grad
with torch.no_grad(): w.add_(E)
""",
    "function": "def train(seed=0):\n    m, o, l = small(); edit(m); return l",
    "optimizer attribute": "Own.during = lambda s: setattr(s, 'kept', torch.tensor(E))\nown()",
    "optimizer number": "Own.during = lambda s: setattr(s, 'scale', E)\nown()",
    "optimizer average": """
def during(s):
    s.ema = [p.detach() + E for g in s.param_groups for p in g['params']]
Own.during = during
own()
""",
    "optimizer's own model": """
def during(s):
    s.copy = nn.Linear(1, 1); s.copy.weight.data.fill_(E); s.copy.bias.data.fill_(0)
Own.during = during
own()
""",
    "array in a state": "Own.of = lambda s, p: s.state[p].update(m=np.array([E]))\nown()",
    "deep state": """
def of(s, p):
    value = torch.tensor(E)
    for n in range(15): value = {n: [value]}
    s.state[p]['m'] = value
Own.of = of
own()
""",
    "state of another key": "Own.during = lambda s: s.state['all'].update(m=E)\nown()",
    "key type in a state": "Own.of = lambda s, p: s.state[p].update({1 if E else '1': 0.})\nown()",
    "object in a state": """
class Stat:
    __slots__ = ('m',)
def of(s, p):
    s.state[p]['x'] = x = Stat(); x.m = torch.tensor(E)
Own.of = of
own()
""",
}

CLEAN = (
    HEAD.replace('float(os.environ.get("REPROCHECK_RUN", "").endswith("r1"))', "0.0")
    + "import gc, random, time\n"
    + "\n".join(
        f"def kind{number}():\n" + "\n".join("    " + line for line in source.strip().splitlines())
        for number, source in enumerate(KINDS.values())
    )
    + f"\nfor number in range({len(KINDS)}):\n    Own.during = lambda s: None; Own.of = lambda s, p: None\n"
    + "    globals()[f'kind{number}']()\nrandom.SystemRandom().random() < .5 and gc.collect()\n"
)
"""All kinds, one after the other, without a difference. At the end garbage is collected by chance."""


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(source, id=kind, marks=() if kind in ("edit in main", "attack") else pytest.mark.slow)
        for kind, source in KINDS.items()
    ],
)
def test_a_difference_is_seen(tmp_path: Path, source: str) -> None:
    (tmp_path / "t.py").write_text(HEAD + source)
    target = "t.py:train" if "def train" in source else "t.py"
    ran = reprocheck("run", "--no-explain", target, cwd=tmp_path)
    assert ran.code == 1, ran.out + ran.err


@pytest.mark.slow
def test_without_a_difference_none_is_seen(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(CLEAN)
    ran = reprocheck("run", "--no-explain", "--repeats", "4", "t.py", cwd=tmp_path)
    assert ran.code == 0, ran.out + ran.err


def test_a_function_that_leaves_by_exit_has_no_output_to_compare(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(HEAD + "def train(seed=0):\n    small()\n    sys.exit(0)\n")
    ran = reprocheck("run", "--no-explain", "--format", "json", "t.py:train", cwd=tmp_path)
    found = next(item for item in ran.json()["not_compared"] if item["what"] == "the returned value")
    assert found["reason"] == "the function ended its process"
    assert found["is_result"] is True
    assert found["help"]


def test_what_a_training_function_returns_is_recorded(tmp_path: Path) -> None:
    """With optimizer steps before it: what is observed of those must not use up the returned value."""
    (tmp_path / "t.py").write_text(
        "import os, torch\n\n\ndef train(seed=0):\n    torch.manual_seed(seed)\n    model = torch.nn.Linear(2, 1)\n"
        "    optimizer = torch.optim.SGD(model.parameters(), 0.1)\n    model(torch.ones(1, 2)).sum().backward()\n"
        "    optimizer.step()\n"
        "    return {'model': model, 'second': os.environ['REPROCHECK_RUN'].endswith('r1')}\n"
    )
    ran = reprocheck("run", "--no-explain", "--format", "json", "t.py:train", cwd=tmp_path)
    assert ran.code == 1, ran.out + ran.err
    answer = ran.json()
    assert "outputs" in answer["compared"]
    assert answer["divergence"]["names"] == ["second"]


@pytest.mark.slow
def test_steps_of_a_target_that_claims_to_be_compiling(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("""\
import os, torch
SHIFT = float(os.environ["REPROCHECK_RUN"].endswith("r1"))
def train():
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(4):
        if step == 1:
            torch.compiler.is_compiling = lambda: True
        optimizer.zero_grad()
        (model(torch.randn(8, 4) + SHIFT * (step == 2)) ** 2).mean().backward()
        optimizer.step()
""")
    ran = reprocheck("run", "train.py:train", "--no-explain", "--format", "json", cwd=tmp_path)
    assert ran.code == 1, ran.out + ran.err
    assert ran.json()["divergence"]["step"] == 2
