# target: train
# expect: no_verdict
# options: --timeout 8
import threading

import torch
from torch import nn


def train():
    model = nn.Linear(4, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    opt.zero_grad()
    model(torch.randn(8, 4)).square().mean().backward()
    opt.step()
    threading.Event().wait()
