"""The compiler is imported when it is needed, and then all is as if it had been there from the start."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.cli import environment

TRAIN = """
import json, sys
import torch
if {stub}:
    from reprocheck.worker.bootstrap import compiler_stub
    compiler_stub.install()
torch.manual_seed(0)
torch.set_num_threads(1)
answer = {{}}
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(), torch.nn.Linear(8, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
def steps(forward):
    for _ in range(3):
        optimizer.zero_grad()
        forward(torch.randn(5, 4)).pow(2).mean().backward()
        optimizer.step()
steps(model)
assert all(hasattr(module, "__name__") and getattr(module, "__file__", 1) for module in list(sys.modules.values()))
answer["loaded"] = "torch._dynamo.eval_frame" in sys.modules
{more}
answer["weights"] = [p.detach().view(-1).tolist() for p in model.parameters()]
print(json.dumps(answer))
"""
COMPILED = """
import torch._dynamo.testing
counter = torch._dynamo.testing.CompileCounter()
steps(torch.compile(model, backend=counter))
whole = torch._dynamo.testing.CompileCounter()
@torch.compile(backend=whole)
def step():
    optimizer.step()
step()
answer["graphs"] = [counter.frame_count, whole.frame_count]
"""

RANK = """
import os
from torch.nn.parallel import DistributedDataParallel
{before}
store = torch.distributed.HashStore()
torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
steps(DistributedDataParallel(model))
answer["loaded"] = "torch._dynamo.eval_frame" in sys.modules
torch.distributed.destroy_process_group()
"""


def run(*, stub: bool, more: str = "") -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", TRAIN.format(stub=stub, more=more)],
        env=environment(OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.slow
def test_a_plain_training_does_not_load_it_and_computes_the_same() -> None:
    with_stub, without = run(stub=True), run(stub=False)
    assert (with_stub["loaded"], without["loaded"]) == (False, True)
    assert with_stub["weights"] == without["weights"]


@pytest.mark.slow
def test_what_is_compiled_later_is_compiled_alike() -> None:
    with_stub, without = run(stub=True, more=COMPILED), run(stub=False, more=COMPILED)
    assert with_stub["graphs"] == without["graphs"]
    assert with_stub["weights"] == without["weights"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        "import torch._dynamo.config; assert torch._dynamo.config.__file__",
        "from torch._dynamo import reset; reset()",
        "from importlib.util import find_spec; assert find_spec('torch._dynamo').origin",
        "import torch; torch._dynamo.config.verbose = True; assert torch._dynamo.config.verbose",
        "torch._dynamo.utils.own = 1; import torch._dynamo.utils as real; assert real.own == 1",
        "torch._dynamo.utils.counters.clear(); assert torch._dynamo.utils is sys.modules['torch._dynamo.utils']",
    ],
)
def test_whatever_else_is_asked_of_it_loads_it(arguments: str) -> None:
    assert run(stub=True, more=arguments)["weights"]


DISABLED = """
import torch._dynamo as dynamo
def told(value):
    "Adds one."
    return value + 1
class Double(torch.nn.Module):
    def forward(self, x):
        return 2 * x
named = torch.compiler.disable(told)
answer["named"] = [named.__name__, named.__doc__, named.__wrapped__ is told, named(1)]
{way}
answer["given"] = given
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "given"),
    [
        ("given = dynamo.disable()(told)(1)", 2),
        ("given = dynamo.disable(recursive=False)(told)(1)", 2),
        ("given = dynamo.disable(fn=told, reason='slow')(1)", 2),
        ("given = isinstance(dynamo.disable(Double), type)", True),
        ("given = isinstance(torch.compiler.disable(Double()), torch.nn.Module)", True),
    ],
)
def test_every_way_to_disable_it_works(way: str, given: object) -> None:
    """As Keras does on import: `@torch._dynamo.disable()`."""
    answer = run(stub=True, more=DISABLED.format(way=way))
    assert answer["given"] == given
    assert answer["named"] == ["told", "Adds one.", True, 2]


@pytest.mark.slow
def test_a_rank_does_without_it_unless_ddp_is_set_up_for_it() -> None:
    with_stub, without = run(stub=True, more=RANK.format(before="")), run(stub=False, more=RANK.format(before=""))
    assert (with_stub["loaded"], without["loaded"]) == (False, True)
    assert with_stub["weights"] == without["weights"]
    set_up = RANK.format(before="torch._dynamo.config.optimize_ddp = 'python_reducer'")
    assert run(stub=True, more=set_up)["loaded"] is True
