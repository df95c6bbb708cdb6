"""Models as torch makes them: what they hold is found in all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from reprocheck.protocol import EVIDENCE_FILE
from reprocheck.worker.observe.module_tree import ModuleTree
from reprocheck.worker.observe.top_models import TopModels
from reprocheck.worker.observe.weights import _lines
from reprocheck.worker.recorder import Recorder


def scripted() -> nn.Module:
    script: Any = torch.jit.script
    module: nn.Module = script(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)))
    return module


def plain() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))


@pytest.mark.parametrize("make", [plain, scripted])
def test_buffers_are_those_of_now(make: Any, tmp_path: Path) -> None:
    model = make()
    root = TopModels(Recorder(tmp_path)).add(model)
    assert root is not None
    before = [buffer.clone() for buffer in root.live_buffers()]
    model(torch.ones(2, 4) * 3)
    after = list(root.live_buffers())
    assert len(before) == len(after) == 3
    assert not torch.equal(before[-1], after[-1])


@pytest.mark.parametrize("make", [plain, scripted])
def test_weights_have_an_owner(make: Any) -> None:
    assert {line["name"] for line in _lines(make(), {})} == set(make().state_dict())


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
        self.head = nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(x))  # type: ignore[no-any-return]


class Holder(nn.Module):
    """As a trainer holds a model."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net


def initial_of(folder: Path, *models: nn.Module) -> dict[str, list[str]]:
    """What is recorded when an optimizer steps before its models are called, as it does with a closure."""
    recorder = Recorder(folder)
    top_models = TopModels(recorder)
    parameters = [parameter for model in models for parameter in model.parameters()]
    bare = torch.ones(2)
    top_models.record_initial("step", [(f"optimizer.{n}", p) for n, p in enumerate([*parameters, bare])])
    for model in models:
        top_models.add(model)  # the closure calls it
    top_models.step = 1
    top_models.record_rest()
    recorder.flush()
    lines = [json.loads(line) for line in (folder / EVIDENCE_FILE).read_text().splitlines()]
    found: dict[str, list[str]] = {}
    for line in lines:
        if line["record"] == "initial":
            found.setdefault(line["root"], []).extend(tensor["name"] for tensor in line["tensors"])
    return found


def test_a_model_that_an_optimizer_calls_first_has_its_names_once(tmp_path: Path) -> None:
    net = Net()
    found = initial_of(tmp_path, net)
    assert sorted(found) == ["", "Net"]
    assert found[""] == ["optimizer.6"]
    assert sorted(found["Net"]) == sorted(net.state_dict())


def test_two_of_one_class_are_distinguished(tmp_path: Path) -> None:
    one, two = Net(), Net()
    found = initial_of(tmp_path, one, two)
    assert sorted(found) == ["", "Net", "Net#2"]
    assert sorted(found["Net"]) == sorted(found["Net#2"]) == sorted(one.state_dict())


@pytest.mark.parametrize("wrap", [lambda net: net, torch.compile, Holder])
def test_the_largest_module_names(wrap: Any) -> None:
    net = Net()
    wrapped = wrap(net)
    [(owner, top, path)] = ModuleTree().places([net.head.bias]).values()
    assert owner is net.head
    assert type(top).__name__ == type(getattr(wrapped, "_orig_mod", wrapped)).__name__
    assert path == ("net.head.bias" if isinstance(wrapped, Holder) else "head.bias")


def test_an_old_wrapper_that_is_garbage_names_nothing() -> None:
    net = Net()
    wrapper: Any = Holder(net)
    wrapper.myself = [wrapper]
    del wrapper
    [(_, top, path)] = ModuleTree().places([net.head.bias]).values()
    assert (top, path) == (net, "head.bias")
