# target: train
# expect: different
# stage: data
# step: 0
# cause: entropy-seed
# line: np.random.SeedSequence()
# factor: intrinsic
import numpy as np
import torch
from torch import nn


def train():
    rng = np.random.default_rng(np.random.SeedSequence())
    model = nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 3), nn.BatchNorm1d(3))
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        x = torch.from_numpy(rng.random((12, 5), dtype=np.float32))
        opt.zero_grad()
        model(x).exp().mean().backward()
        opt.step()
    return model.state_dict()
