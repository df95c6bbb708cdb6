# target: train
# expect: different
# stage: step
# step: 0
# cause: clock-or-pid-seed
# line: g.manual_seed(time.time_ns())
# factor: clock
import time

import torch


def train():
    g = torch.Generator()
    g.manual_seed(time.time_ns())
    w = torch.zeros(4, 1, requires_grad=True)
    for _ in range(5):
        x = torch.randn(16, 4, generator=g)
        loss = (x @ w - x.sum(1, keepdim=True)).square().mean()
        loss.backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
        w.grad = None
    return w
