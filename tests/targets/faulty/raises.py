# target: train
# expect: no_verdict
import torch
from torch import nn


def train():
    model = nn.Linear(4, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(5):
        x = torch.randn(8, 4 if step < 3 else 5)
        opt.zero_grad()
        model(x).square().mean().backward()
        opt.step()
    return model
