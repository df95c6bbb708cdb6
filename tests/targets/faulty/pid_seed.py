# target: train
# expect: different
# stage: data
# step: 0
# cause: clock-or-pid-seed
# line: os.getpid()
# factor: pid
import os

import torch
from torch import nn


def train():
    model = nn.Linear(4, 1)
    generator = torch.Generator().manual_seed(1234 + os.getpid())
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        x = torch.randn(8, 4, generator=generator)
        opt.zero_grad()
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "model": model}
