# target: train
# expect: reproducible
# options: --seeds 2
# finding: seed-fixed-inside
# cause: seed-fixed-inside
# line: torch.manual_seed(42)
import torch
from torch import nn


def train():
    torch.manual_seed(42)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(4):
        x = torch.randn(8, 4)
        opt.zero_grad()
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        loss.backward()
        opt.step()
    return loss.item()
