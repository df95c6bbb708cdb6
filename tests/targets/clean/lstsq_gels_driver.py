# target: train
# expect: reproducible
# near-miss-of: lstsq-and-signs
import torch
from torch import nn


def train():
    x = torch.randn(60, 8)
    y = x @ torch.randn(8, 1)
    model = nn.Linear(8, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.linalg.lstsq(x, y + 0.1 * torch.randn(60, 1), driver="gels").solution.t())
    opt = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(4):
        opt.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        opt.step()
    return model
