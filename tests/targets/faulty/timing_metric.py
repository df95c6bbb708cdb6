# target: train
# expect: different
# stage: metric
# cause: timing-metric
# line: time.perf_counter() - start
# factor: clock
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
    seconds = time.perf_counter() - start
    return {"loss": loss.item(), "seconds": seconds, "steps_per_second": 4 / seconds}
