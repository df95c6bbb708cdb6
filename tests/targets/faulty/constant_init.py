# target: train
# expect: reproducible
# options: --seeds 2
# finding: constant-init
# cause: constant-init
# line: nn.init.constant_(p, 0.1)
import torch
from torch import nn


def train():
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    for p in model.parameters():
        nn.init.constant_(p, 0.1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        x = torch.randn(16, 4)
        opt.zero_grad()
        loss = (model(x) - x[:, :1]).square().mean()
        loss.backward()
        opt.step()
    return loss.item()
