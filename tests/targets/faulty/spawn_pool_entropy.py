# target: train
# expect: different
# stage: data
# step: 0
# cause: spawn-worker-entropy
# line: np.random.normal(loc=index, size=4)
# factor: intrinsic
# needs: slow
import multiprocessing as mp

import numpy as np
import torch
from torch import nn


def simulate(index):
    return np.random.normal(loc=index, size=4).astype(np.float32)


def train():
    np.random.seed(0)
    torch.manual_seed(0)
    with mp.get_context("spawn").Pool(2) as pool:
        x = torch.from_numpy(np.stack(pool.map(simulate, range(20))))
    model = nn.Linear(4, 1)
    opt = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(4):
        opt.zero_grad()
        loss = (model(x).squeeze(1) - torch.arange(20.0)).square().mean()
        loss.backward()
        opt.step()
    return loss.item()
