# target: train
# expect: different
# options: --seeding none
# stage: data
# step: 0
# cause: partial-seed
# line: noise = np.random.normal
# factor: intrinsic
import numpy as np
import torch
from torch import nn


def train():
    torch.manual_seed(1)
    model = nn.Linear(5, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(4):
        x = torch.randn(10, 5)
        noise = np.random.normal(scale=0.1, size=(10, 5)).astype(np.float32)
        opt.zero_grad()
        loss = (model(x + torch.from_numpy(noise)) - x.mean(1, keepdim=True)).square().mean()
        loss.backward()
        opt.step()
    return loss.item()
