# target: train
# expect: different
# stage: init
# cause: entropy-reseed
# line: torch.seed()
# factor: intrinsic
import torch
from torch import nn


def train():
    torch.seed()
    model = nn.Linear(3, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        opt.zero_grad()
        model(torch.randn(5, 3)).abs().mean().backward()
        opt.step()
    return model
