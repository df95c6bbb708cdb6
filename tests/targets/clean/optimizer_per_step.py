# target: train
# expect: reproducible
import torch
from torch import nn


def train():
    model = nn.Linear(10, 1)
    for step in range(6):
        opt = torch.optim.SGD(model.parameters(), lr=0.1 / (step + 1))
        x = torch.randn(8, 10)
        (model(x) - x[:, :1]).square().mean().backward()
        opt.step()
        opt.zero_grad()
    return model.weight
