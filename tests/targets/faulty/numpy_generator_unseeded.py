# target: train
# expect: different
# stage: data
# step: 0
# cause: numpy-generator-unseeded
# line: rng = np.random.default_rng()
# factor: intrinsic
import numpy as np
import torch
from torch import nn


def train():
    torch.manual_seed(0)
    np.random.seed(0)
    rng = np.random.default_rng()
    x = torch.randn(64, 4)
    y = x[:, :1] * 2
    model = nn.Linear(4, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        batch = torch.from_numpy(rng.permutation(64)[:16])
        opt.zero_grad()
        nn.functional.mse_loss(model(x[batch]), y[batch]).backward()
        opt.step()
    return model
