# target: train
# expect: different
# options: --seeding none
# stage: init
# cause: no-seed
# line: model = nn.Sequential(nn.Linear(6, 12)
# factor: intrinsic
import torch
from torch import nn


def train():
    model = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 1))
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(5):
        x = torch.randn(16, 6)
        opt.zero_grad()
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        loss.backward()
        opt.step()
    return loss.item()
