# target: train
# expect: different
# options: --threads 2
# stage: step
# cause: cpu-index-accumulate
# line: self.table[rows]
# factor: intrinsic
# race: yes
# needs: 2cores
import torch
from torch import nn


class Gather(nn.Module):
    def __init__(self, n, dim):
        super().__init__()
        self.table = nn.Parameter(torch.randn(n, dim))

    def forward(self, rows):
        return self.table[rows]


def train():
    model = Gather(64, 64)
    opt = torch.optim.SGD(model.parameters(), lr=1e-4)
    rows = torch.arange(60000) % 64
    target = torch.randn(60000, 64)
    for _ in range(8):
        opt.zero_grad()
        loss = (model(rows) - target).square().sum()
        loss.backward()
        opt.step()
    return model.table
