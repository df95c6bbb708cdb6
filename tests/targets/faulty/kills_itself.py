# target: train
# expect: no_verdict
import os
import signal

import torch
from torch import nn


def train():
    model = nn.Linear(4, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(5):
        opt.zero_grad()
        model(torch.randn(8, 4)).square().mean().backward()
        opt.step()
        if step == 3:
            os.kill(os.getpid(), signal.SIGKILL)
    return model
