# target: train
# expect: no_verdict
import os

import torch
from torch import nn


def train():
    os.mkdir("experiment")
    model = nn.Linear(4, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        opt.zero_grad()
        loss = model(torch.randn(8, 4)).square().mean()
        loss.backward()
        opt.step()
    torch.save(model.state_dict(), "experiment/model.pt")
    return loss.item()
