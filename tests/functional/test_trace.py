"""Runs traced operation by operation, and where two of them part. Every difference is made by construction: FAULT in
the environment of the second run says which."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reprocheck.diagnosis.localization.localize import locate
from reprocheck.evidence.trace_file import load_trace
from reprocheck.model import TraceWindow
from reprocheck.model.explanation import Origin
from reprocheck.protocol import EVIDENCE_FILE
from tests.support.traced import RUNS, line_of, traced_pair

TRAINING = """\
import os
import numpy as np
import torch
from torch import nn

NAME, _, WHEN = os.environ.get("FAULT", "").partition("@")
STEP = 0

def fault(name):
    return name == NAME and STEP == int(WHEN)

def poke(tensor):
    tensor.detach().numpy().reshape(-1).view(np.int32)[0] ^= 1 << 12

@torch.library.custom_op("faulty::scale", mutates_args=())
def scale(x: torch.Tensor, factor: float, name: str) -> torch.Tensor:
    y = x * factor
    if fault(name):
        poke(y)
    return y

class Half(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.ops.faulty.scale(x, 0.5, "forward")  # forward fault

    @staticmethod
    def backward(ctx, grad):
        return torch.ops.faulty.scale(grad, 0.5, "backward")  # backward fault

class Descent(torch.optim.Optimizer):
    def __init__(self, parameters):
        super().__init__(parameters, {})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(torch.ops.faulty.scale(p.grad, 0.1, "optimizer"))  # optimizer fault

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 5), nn.Linear(5, 1)

    def forward(self, x):
        x = torch.sigmoid(self.first(x)) if fault("branch") else torch.tanh(self.first(x))  # branch
        if fault("extra"):
            x = x.abs()  # extra operation
        return self.last(Half.apply(x))

def train():
    global STEP
    model = Net()
    optimizer = Descent(model.parameters())
    table = torch.rand(40, 6)
    for STEP in range(4):
        if fault("generator"):
            torch.manual_seed(99)
        noise = torch.rand(4, 6)  # draw
        numbers = np.ones((4, 6), dtype=np.float32)
        if fault("outside"):
            numbers[1, 2] += 0.5
        start = 12 if fault("slice") else 8
        rows = table[start : start + 4]  # slice
        x = rows * (1.5 if fault("scalar") else 1.25) + noise  # scalar
        x = x + torch.from_numpy(numbers)  # outside
        if fault("written"):
            poke(model.first.weight)
        loss = model(x).square().mean()  # call of the model
        loss.backward()  # call of backward
        optimizer.step()  # call of the optimizer
        optimizer.zero_grad()
    return {name: p.detach() for name, p in model.named_parameters()}
"""

Locate = Callable[..., "Origin | None"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A traced run without a fault."""
    folder = tmp_path_factory.mktemp("base")
    traced_pair(folder, TRAINING, window=TraceWindow(last=2), names=RUNS[:1])
    return folder / "evidence" / RUNS[0]


@pytest.fixture
def faulted(base: Path, tmp_path: Path) -> Locate:
    """Where a run with a fault parts from the one without."""

    def run(fault: str, **variables: str) -> Origin | None:
        own = {"FAULT": fault, **variables}
        traced_pair(tmp_path, TRAINING, window=TraceWindow(last=2), names=RUNS[1:], environments=(own,))
        return locate(base, tmp_path / "evidence" / RUNS[1], RUNS)

    return run


def place(origin: Origin | None) -> tuple[str, str, int, str, int]:
    """Kind, operation, step, phase and line of an origin."""
    assert origin is not None
    frame = origin.call.frames[0]
    assert frame.code == TRAINING.splitlines()[frame.location.line - 1].strip()
    return origin.kind, origin.call.op, origin.call.step, origin.call.phase, frame.location.line


@pytest.mark.slow
def test_equal_runs_have_equal_traces_whatever_the_allocator_gives(faulted: Locate) -> None:
    assert faulted("", MALLOC_PERTURB_="190") is None


@pytest.mark.parametrize(
    ("fault", "phase", "text"),
    [
        ("forward", "no-grad", "# forward fault"),
        ("backward", "backward", "# backward fault"),
        ("optimizer", "optimizer", "# optimizer fault"),
    ],
)
def test_one_bit_is_found_at_its_operation_and_line(faulted: Locate, fault: str, phase: str, text: str) -> None:
    origin = faulted(f"{fault}@1")
    assert place(origin) == ("op", "faulty::scale", 1, phase, line_of(TRAINING, text))
    assert origin is not None
    assert origin.values is not None
    assert (origin.values.different, origin.values.max_ulp) == (1, 1 << 12)
    assert origin.compared_ops > 50
    assert origin.runs == RUNS


def test_a_generator_in_another_state(faulted: Locate) -> None:
    origin = faulted("generator@1")
    assert place(origin) == ("generator", "aten::rand", 1, "forward", line_of(TRAINING, "# draw"))
    assert origin is not None
    assert "default generator" in origin.argument


@pytest.mark.slow
def test_numbers_from_outside(faulted: Locate) -> None:
    origin = faulted("outside@2")
    assert place(origin) == ("outside", "aten::lift_fresh", 2, "forward", line_of(TRAINING, "# outside"))
    assert origin is not None
    assert origin.values is not None
    assert origin.values.samples == (((1, 2), "1.0", "1.5"),)


def test_an_operation_that_only_one_run_executes(faulted: Locate) -> None:
    origin = faulted("extra@1")
    assert place(origin) == ("extra", "aten::abs", 1, "forward", line_of(TRAINING, "# extra operation"))
    assert origin is not None
    assert origin.only_in == RUNS[1]
    assert origin.other is not None
    assert origin.other.op == "faulty::scale"


@pytest.mark.slow
def test_another_branch(faulted: Locate) -> None:
    origin = faulted("branch@1")
    assert place(origin) == ("extra", "aten::tanh", 1, "forward", line_of(TRAINING, "# branch"))
    assert origin is not None
    assert origin.only_in == RUNS[0]
    assert origin.other is not None
    assert origin.other.op == "aten::sigmoid"


@pytest.mark.slow
def test_a_parameter_that_numpy_wrote(faulted: Locate) -> None:
    origin = faulted("written@1")
    assert place(origin)[:4] == ("written", "aten::addmm", 1, "forward")
    assert origin is not None
    assert origin.argument == "argument 2 (mat2)"
    assert origin.call.module == "first"
    assert origin.call.frames[1].location.line == line_of(TRAINING, "# call of the model")
    assert origin.shape == (6, 5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "op", "argument", "values"),
    [
        ("slice", "aten::slice", "argument 2 (start)", "8 and 12"),
        ("scalar", "aten::mul", "argument 1 (other)", "1.25 and 1.5"),
    ],
)
def test_a_number_from_outside(faulted: Locate, fault: str, op: str, argument: str, values: str) -> None:
    origin = faulted(f"{fault}@1")
    assert place(origin) == ("outside", op, 1, "forward", line_of(TRAINING, f"# {fault}"))
    assert origin is not None
    assert origin.argument == argument
    assert values in origin.values_reason


def test_what_an_event_knows(base: Path) -> None:
    trace = load_trace(base)
    assert trace.complete
    source = {event.op: event for event in trace.events.values() if event.phase == "backward"}
    event = source["aten::tanh_backward"]
    assert (event.model, event.module) == ("Net", "")
    lines = [line for _, line, _ in event.frames]
    assert lines == [line_of(TRAINING, "# branch"), line_of(TRAINING, "# call of the model")]
    modules = {event.module for event in trace.events.values() if event.op == "aten::mm" and event.phase == "backward"}
    assert modules == {"first", "last"}
    phases = {event.phase for event in trace.events.values()}
    assert {"init", "forward", "backward", "optimizer"} <= phases


@pytest.mark.slow
def test_a_window_begins_late_and_ends_the_run(base: Path, tmp_path: Path) -> None:
    traced_pair(tmp_path, TRAINING, window=TraceWindow(first=1, last=1), names=RUNS[:1])
    late = load_trace(tmp_path / "evidence" / RUNS[0])
    whole = load_trace(base)
    assert late.complete
    assert late.first == 1
    assert 0 < len(late.records) < len(whole.records) / 2
    end = json.loads((tmp_path / "evidence" / RUNS[0] / EVIDENCE_FILE).read_text().splitlines()[-1])
    assert end["stopped_at"] == 2


@pytest.mark.slow
def test_the_trace_changes_no_bit(tmp_path: Path) -> None:
    traced, plain = tmp_path / "traced", tmp_path / "plain"
    for folder in (traced, plain):
        folder.mkdir()
    traced_pair(traced, TRAINING, window=TraceWindow(), names=RUNS[:1])
    traced_pair(plain, TRAINING, window=None, names=RUNS[:1])
    results = []
    for folder in (traced, plain):
        lines = map(json.loads, (folder / "evidence" / RUNS[0] / EVIDENCE_FILE).read_text().splitlines())
        output = next(line for line in lines if line["record"] == "output")
        steps = (folder / "evidence" / RUNS[0] / "steps.bin").read_bytes()
        results.append(([leaf["digest"] for leaf in output["leaves"]], steps))
    assert results[0] == results[1]


ENGINE_THREAD = """\
import os
import torch

DEPTH = 65  # PyTorch's engine goes on in a thread of its own when passes are nested 60 deep; on a GPU it always does

class Nest(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, depth):
        ctx.depth = depth
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        with torch.enable_grad():
            inner = torch.ones(3, requires_grad=True)
            if ctx.depth:
                Nest.apply(inner, ctx.depth - 1).sum().backward()
            else:
                other = torch.full((3,), 1.0 + ("FAULT" in os.environ))  # in the innermost
                (inner * other).sum().backward()
        return grad + inner.grad, None

def train():
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([weight], 0.1)
    Nest.apply(weight, DEPTH).sum().backward()
    optimizer.step()
    return weight
"""


@pytest.mark.slow
def test_what_autograd_does_in_a_thread_of_its_own_belongs_to_the_thread_that_waits(tmp_path: Path) -> None:
    traced_pair(tmp_path, ENGINE_THREAD, window=TraceWindow(last=1), environments=({}, {"FAULT": "1"}))
    runs = [tmp_path / "evidence" / name for name in RUNS]
    threads = {event.thread for event in load_trace(runs[0]).events.values()}
    assert {"0", "0.a0"} <= threads
    assert not [name for name in threads if "?" in name]
    origin = locate(runs[0], runs[1], RUNS)
    assert origin is not None
    assert origin.call.frames[0].location.line == line_of(ENGINE_THREAD, "# in the innermost")
    assert origin.call.thread == 0
    assert not origin.note
