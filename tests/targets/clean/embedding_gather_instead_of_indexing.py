# target: train
# expect: reproducible
# options: --threads 2
# needs: 2cores
# near-miss-of: cpu-index-accumulate
import torch
from torch import nn


def train():
    table = nn.Embedding(64, 64)
    opt = torch.optim.SGD(table.parameters(), lr=0.1)
    rows = torch.arange(4096) % 64
    target = torch.randn(4096, 64)
    for _ in range(3):
        opt.zero_grad()
        picked = torch.index_select(table.weight, 0, rows) + table(rows)
        loss = (picked - target).square().mean()
        loss.backward()
        opt.step()
    return loss.item()
