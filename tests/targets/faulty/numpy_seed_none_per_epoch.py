# target: train
# expect: different
# stage: data
# step: 2
# cause: entropy-reseed
# line: np.random.seed(None)
# factor: intrinsic
import numpy as np
import torch
from torch import nn


def train():
    model = nn.Linear(4, 4)
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(3):
        if epoch > 0:
            np.random.seed(None)
        for _ in range(2):
            x = torch.from_numpy(np.random.randn(8, 4).astype(np.float32))
            opt.zero_grad()
            loss = nn.functional.mse_loss(model(x), x)
            loss.backward()
            opt.step()
    return loss.item()
