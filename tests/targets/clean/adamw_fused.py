# target: train
# expect: reproducible
import torch
from torch import nn


def train():
    model = nn.Sequential(nn.Linear(20, 40), nn.SiLU(), nn.Linear(40, 1))
    opt = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    for _ in range(5):
        x = torch.randn(32, 20)
        loss = (model(x) - x.sum(1, keepdim=True)).pow(2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return loss
