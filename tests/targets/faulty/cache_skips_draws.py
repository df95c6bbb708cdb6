# target: train
# expect: different
# stage: init
# cause: cache-shift
# line: torch.save(data, CACHE)
# factor: intrinsic
from pathlib import Path

import torch
from torch import nn

CACHE = Path("features.pt")


def features():
    if CACHE.exists():
        return torch.load(CACHE)
    data = torch.randn(64, 5)
    torch.save(data, CACHE)
    return data


def train():
    x = features()
    model = nn.Linear(5, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for batch in x.split(16):
        opt.zero_grad()
        (model(batch) - batch.mean(1, keepdim=True)).square().mean().backward()
        opt.step()
    return model
