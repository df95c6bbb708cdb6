# target: train
# expect: reproducible
# options: --ignore '*seconds*'
# near-miss-of: timing-metric
import time

import torch
from torch import nn


def train():
    start = time.perf_counter()
    model = nn.Linear(5, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        loss = (model(torch.randn(8, 5)) - 2).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "timing": {"seconds": time.perf_counter() - start}}
