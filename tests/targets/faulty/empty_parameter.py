# target: train
# expect: different
# stage: init
# cause: empty-parameter
# line: nn.Parameter(torch.empty(4, 600))
# factor: heap
import torch
from torch import nn


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.proj = nn.Linear(600, 4)
        self.scale = nn.Parameter(torch.empty(4, 600))

    def forward(self, x):
        return self.proj(x * torch.sigmoid(self.scale[0]))


def train():
    model = Gate()
    opt = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(3):
        opt.zero_grad()
        loss = model(torch.randn(4, 600)).square().mean()
        loss.backward()
        opt.step()
    return loss.item()
