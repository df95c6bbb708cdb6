# target: train
# expect: reproducible
# near-miss-of: wall-clock-budget
import time

import torch
from torch import nn


def calls_per_second(model, batch, seconds=0.2):
    start, calls = time.perf_counter(), 0
    with torch.no_grad():
        while time.perf_counter() - start < seconds or calls < 2:
            model(batch)
            calls += 1
    return calls / seconds


def train():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        opt.zero_grad()
        model(torch.randn(8, 4)).square().mean().backward()
        opt.step()
    print(f"{calls_per_second(model.eval(), torch.ones(8, 4)):.0f} calls/s")
    return model
