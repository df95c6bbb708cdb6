# target: train
# expect: reproducible
import os
import time
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn


def fit(index):
    time.sleep(int.from_bytes(os.urandom(1), "big") / 2000)  # the load of another machine
    g = torch.Generator().manual_seed(index)
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=g))
    opt = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(5):
        opt.zero_grad()
        model(torch.randn(8, 4, generator=g)).square().mean().backward()
        opt.step()
    model.eval()
    with torch.no_grad():
        return float(model(torch.ones(2, 4)).sum())


def train():
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(fit, range(6)))
