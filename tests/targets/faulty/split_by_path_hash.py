# target: train
# expect: different
# stage: data
# step: 0
# cause: tmpdir-dependence
# line: zlib.crc32(path.encode()) / 2**32
# factor: tmpdir
import os
import tempfile
import zlib

import torch
from torch import nn


def is_train(path):
    return zlib.crc32(path.encode()) / 2**32 < 0.7


def train():
    cache = os.path.join(tempfile.gettempdir(), "toy-images")
    paths = [os.path.join(cache, f"img{i:03d}.png") for i in range(120)]
    x = torch.randn(120, 4)
    chosen = torch.tensor([is_train(p) for p in paths])
    model = nn.Linear(4, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        opt.zero_grad()
        (model(x[chosen]) - x[chosen].sum(1, keepdim=True)).square().mean().backward()
        opt.step()
    with torch.no_grad():
        return model(x[~chosen]).mean().item()
