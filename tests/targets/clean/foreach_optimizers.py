# target: train
# expect: reproducible
import torch
from torch import nn


def fit(make_optimizer):
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
    opt = make_optimizer(model.parameters())
    for _ in range(2):
        opt.zero_grad()
        model(torch.randn(12, 6)).square().mean().backward()
        opt.step()
    return model


def train():
    return {
        "sgd": fit(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, foreach=True)),
        "adam": fit(lambda p: torch.optim.Adam(p, amsgrad=True, foreach=True)),
        "adam_single": fit(lambda p: torch.optim.Adam(p, foreach=False)),
        "adagrad": fit(lambda p: torch.optim.Adagrad(p, foreach=True)),
        "nadam": fit(lambda p: torch.optim.NAdam(p)),
    }
