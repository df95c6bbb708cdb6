# target: train
# expect: reproducible
import torch
from torch import nn


def train():
    model = nn.Sequential(
        nn.LazyConv1d(6, 3), nn.GroupNorm(2, 6), nn.ReLU(), nn.Flatten(),
        nn.utils.parametrizations.weight_norm(nn.Linear(60, 10)), nn.LazyBatchNorm1d(), nn.LazyLinear(2),
    )
    model(torch.randn(2, 3, 12))
    opt = torch.optim.RAdam(model.parameters(), lr=0.01)
    for _ in range(3):
        x, y = torch.randn(8, 3, 12), torch.randint(0, 2, (8,))
        opt.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        opt.step()
    return model.eval()(torch.zeros(2, 3, 12)).detach()
