# target: train
# expect: reproducible
# needs: slow
import torch
from torch import nn


def train():
    model = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 1))
    compiled = torch.compile(model)
    opt = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(4):
        x = torch.randn(16, 8)
        opt.zero_grad()
        loss = (compiled(x) - x.mean(1, keepdim=True)).square().mean()
        loss.backward()
        opt.step()
    return model.state_dict()
