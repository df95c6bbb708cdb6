# target: train
# expect: different
# stage: step
# step: 0
# cause: unordered-float-sum
# line: for name in set(penalties)
# factor: hash-seed
import torch
from torch import nn


def train():
    model = nn.Sequential(*[nn.Linear(6, 6) for _ in range(24)])
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(3):
        x = torch.randn(8, 6)
        penalties = {f"{n}.l2": x.mean(0) * p.std().exp() for n, p in model.named_parameters()}
        offset = torch.zeros(6)
        for name in set(penalties):
            offset = offset + penalties[name]
        opt.zero_grad()
        loss = (model(x) - offset).square().mean()
        loss.backward()
        opt.step()
    return loss.item()
