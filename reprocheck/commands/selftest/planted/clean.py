"""Trainings that reproduce though they look like those that do not, for `reprocheck selftest`."""

from __future__ import annotations

import os
import random
import time

import numpy as np
import torch
from torch import nn

STEPS = 3


def everything_seeded(seed: int = 0) -> dict[str, object]:
    """Every generator is drawn from, and every one is seeded."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.2), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loss = torch.zeros(())
    for _ in range(STEPS):
        optimizer.zero_grad()
        noise = torch.from_numpy(np.random.normal(size=(16, 8)).astype(np.float32))
        loss = model(noise * random.random()).square().mean()
        loss.backward()
        optimizer.step()
    return {"model": model, "loss": loss.item()}


def sorted_and_filled() -> nn.Module:
    """Sets and listings are sorted, memory is filled before it is read, the clock is only looked at."""
    started = time.time()
    names = sorted({f"column {number}" for number in range(32)})
    numbers = [float(name.split("-")[1]) for name in sorted(os.listdir("samples"))]
    columns = torch.tensor([float(name.split()[1]) for name in names])
    batch = torch.empty(2, 32)
    batch[0], batch[1] = columns / 32, torch.tensor(numbers) / 32
    model = nn.Linear(32, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(STEPS):
        optimizer.zero_grad()
        model(batch).square().mean().backward()
        optimizer.step()
    print(f"trained in {time.time() - started:.3f} s")
    return model
