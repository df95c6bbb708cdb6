# target: train
# expect: different
# stage: step
# step: 1
# cause: wall-clock-schedule
# line: elapsed = time.perf_counter() - start
# factor: clock
import time

import torch
from torch import nn


def train():
    model = nn.Sequential(nn.Linear(5, 10), nn.ReLU(), nn.Linear(10, 1))
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    start = time.perf_counter()
    for step in range(5):
        x = torch.randn(16, 5)
        opt.zero_grad()
        (model(x) - x[:, :1]).square().mean().backward()
        opt.step()
        elapsed = time.perf_counter() - start
        for group in opt.param_groups:
            group["lr"] = 0.1 * 0.5 ** (10 * elapsed)
    return model
