"""The weak references of the worker are none to the target."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import torch

from reprocheck.model import Instruments, Status
from reprocheck.worker.fingerprint.tensor_refs import TensorRef
from tests.support.probed import probed

CONVERTED = """
import weakref
import torch

def train():
    torch.__future__.set_swap_module_params_on_conversion(True)
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 2)
    model.load_state_dict(torch.nn.Linear(4, 2).state_dict())
    for dtype in (torch.float32, torch.float64):
        model.to(dtype)
        optimizer = torch.optim.Adam(model.parameters())
        for _ in range(2):
            optimizer.zero_grad()
            model(torch.randn(3, 4, dtype=dtype)).sum().backward()
            optimizer.step()
        optimizer.zero_grad()
    held = weakref.ref(model.weight)
    try:
        torch.utils.swap_tensors(model.weight, torch.zeros(2, 4))
    except RuntimeError as error:
        return str(error)
"""


def test_a_module_may_be_converted_by_swapping_its_parameters(tmp_path: Path) -> None:
    for name, instruments in (("plain", Instruments()), ("doctor", Instruments(doctor=True))):
        outcome = probed(tmp_path, CONVERTED, instruments=instruments, name=name)
        assert outcome.status is Status.COMPLETED, outcome.reason
        evidence = (outcome.spec.directory / "evidence.jsonl").read_text()
        assert "Cannot swap t1 because it has weakref" in evidence


def test_one_ends_with_its_tensor_and_is_not_that_of_others() -> None:
    tensor, gone = torch.ones(2), []
    ours, theirs = TensorRef(tensor, gone.append), weakref.ref(tensor)
    assert ours is not theirs
    assert ours() is theirs() is tensor
    del tensor
    gc.collect()
    assert (ours(), gone) == (None, [ours])
