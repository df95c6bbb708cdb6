# target: train
# expect: different
# stage: step
# step: 0
# cause: lstsq-and-signs
# line: torch.linalg.lstsq(
# factor: heap
# race: yes
# heap: the LAPACK pivots are read unfilled: shows between zero-filled and non-zero-filled (or unfilled) memory,
#       not between two non-zero bytes
import torch
from torch import nn


class RidgeHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(6, 24)

    def forward(self, x, y):
        h = torch.tanh(self.body(x))
        with torch.no_grad():
            w = torch.linalg.lstsq(h, y).solution
        return h @ w


def train():
    model = RidgeHead()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(8):
        x = torch.randn(60, 6)
        y = torch.randn(60, 1)
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(x, y), y)
        loss.backward()
        opt.step()
    return model
