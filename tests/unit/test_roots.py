"""Models as torch makes them: what they hold is found in all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from reprocheck.worker.observe.roots import Roots
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
    root = Roots(Recorder(tmp_path)).add(model)
    assert root is not None
    before = [buffer.clone() for buffer in root.live_buffers()]
    model(torch.ones(2, 4) * 3)
    after = list(root.live_buffers())
    assert len(before) == len(after) == 3
    assert not torch.equal(before[-1], after[-1])


@pytest.mark.parametrize("make", [plain, scripted])
def test_weights_have_an_owner(make: Any) -> None:
    assert {line["name"] for line in _lines(make(), {})} == set(make().state_dict())
