# target: train
# expect: reproducible
import torch
from torch import nn


def train():
    model = nn.Linear(4, 1)
    opt = torch.optim.SGD(model.parameters(), lr=1e20)
    for _ in range(6):
        x = torch.randn(8, 4)
        loss = (model(x) - 1).pow(4).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return loss.item(), model
