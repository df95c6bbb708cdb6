# target: train
# expect: different
# stage: step
# step: 0
# cause: id-order
# line: for p in set(model.parameters())
# factor: intrinsic
import torch
from torch import nn


def train():
    model = nn.ModuleList(nn.Linear(3, 3) for _ in range(64))
    opt = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(3):
        x = torch.randn(4, 3)
        opt.zero_grad()
        torch.stack([layer(x) for layer in model]).square().mean().backward()
        for p in set(model.parameters()):
            p.grad.add_(torch.randn_like(p), alpha=0.01)
        opt.step()
    return model
