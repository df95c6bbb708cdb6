# target: train
# expect: different
# stage: step
# cause: timing-choice
# line: chosen = min(times, key=times.get)
# factor: intrinsic
# race: yes
import os
import time

import torch
from torch import nn


def plain(x, w):
    return x @ w


def scaled(x, w):
    return (x * 1.5) @ (w / 1.5)


def measure(function, x, w):
    start = time.perf_counter()
    function(x, w)
    slow = "plain" if os.environ.get("REPROCHECK_RUN", "").endswith("r1") else "scaled"
    time.sleep(0.02 if function.__name__ == slow else 0)
    return time.perf_counter() - start


def train(seed=0):
    torch.manual_seed(seed)
    w = nn.Parameter(torch.randn(16, 1))
    optimizer = torch.optim.SGD([w], lr=0.01)
    times = {}
    for function in (plain, scaled):
        times[function] = measure(function, torch.ones(4, 16), w.detach())
    chosen = min(times, key=times.get)
    for _ in range(3):
        optimizer.zero_grad()
        chosen(torch.randn(32, 16), w).pow(2).mean().backward()
        optimizer.step()
    return w
