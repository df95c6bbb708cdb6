# target: train
# expect: reproducible
import os
import sys

import torch
from torch import nn


def train():
    sys.stdout.flush()
    os.close(1)
    os.close(2)
    sys.stdout = sys.stderr = open(os.devnull, "w")
    model = nn.Linear(3, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(3):
        opt.zero_grad()
        loss = model(torch.randn(4, 3)).square().mean()
        loss.backward()
        opt.step()
        print("step", step, loss.item())
    return loss.item()
