# target: train
# expect: reproducible
import torch
from torch import nn


def train():
    scales = nn.ParameterList(nn.Parameter(torch.rand(3)) for _ in range(300))
    opt = torch.optim.Adam(scales.parameters(), lr=1e-2)
    for _ in range(3):
        x = torch.randn(3)
        loss = sum(((s * x).sum() - i / 300) ** 2 for i, s in enumerate(scales)) / 300
        opt.zero_grad()
        loss.backward()
        opt.step()
    return loss.item()
