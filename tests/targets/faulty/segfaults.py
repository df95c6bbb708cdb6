# target: train
# expect: no_verdict
import ctypes

import torch
from torch import nn


def train():
    model = nn.Linear(4, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    opt.zero_grad()
    model(torch.randn(8, 4)).square().mean().backward()
    opt.step()
    return ctypes.string_at(8)
