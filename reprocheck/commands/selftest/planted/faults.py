"""Trainings with one planted fault each, for `reprocheck selftest`. They run as copies in a folder of their own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

STEPS = 3


def unseeded_generator() -> nn.Module:
    """The batches come from a generator that nobody seeds."""
    generator = np.random.default_rng()
    return _fit(lambda: torch.from_numpy(generator.standard_normal((16, 8), dtype=np.float32)))


def set_order() -> nn.Module:
    """The columns come in the order of a set of strings."""
    names = {f"column {number}" for number in range(32)}
    order = torch.tensor([float(name.split()[1]) for name in names]).reshape(4, 8)
    return _fit(lambda: order / 32)


def uninitialised_memory() -> nn.Module:
    """The weights are whatever the memory held."""
    model = nn.Linear(8, 1)
    with torch.no_grad():
        model.weight.copy_(torch.empty(1, 8).nan_to_num(0.5).clamp(-1, 1))
    return _fit(lambda: torch.randn(16, 8), model)


def listing_order() -> nn.Module:
    """The samples come in the order in which the file system lists them."""
    numbers = [float(name.split("-")[1]) for name in os.listdir("samples")]
    samples = torch.tensor(numbers).reshape(4, 8)
    return _fit(lambda: samples / 32)


def clock() -> nn.Module:
    """The seed is the time."""
    torch.manual_seed(int(time.time()))
    return _fit(lambda: torch.randn(16, 8))


def leftover_file() -> nn.Module:
    """What an earlier run left is taken up."""
    try:
        with open("checkpoint", "x"):
            scale = 1.0
    except FileExistsError:
        scale = 2.0
    return _fit(lambda: scale * torch.randn(16, 8))


def thread_race() -> nn.Module:
    """Gradients of one row are added from two threads, in whatever order they come."""
    table = nn.Embedding(64, 64)
    optimizer = torch.optim.SGD(table.parameters(), lr=1e-4)
    rows = torch.arange(60_000) % 64
    wanted = torch.randn(60_000, 64)
    for _ in range(30):
        optimizer.zero_grad()
        loss = (table.weight[rows] - wanted).square().sum()
        torch.autograd.backward(loss)
        optimizer.step()
    return table


def _fit(batch: Callable[[], torch.Tensor], model: nn.Module | None = None) -> nn.Module:
    model = model or nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = model(batch()).square().mean()
        loss.backward()
        optimizer.step()
    return model
