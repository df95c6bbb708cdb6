# target: train
# expect: different
# stage: data
# step: 0
# cause: pool-workers-draw
# line: np.random.normal(0, 0.05, 4)
# factor: intrinsic
# race: yes
# needs: slow
import multiprocessing as mp
import os
import time

import numpy as np
import torch
from torch import nn

SLOW = 3 if os.environ.get("REPROCHECK_RUN", "")[-1:] in "13579" else 0


def augment(index):
    time.sleep(1.0 if index == SLOW else 0.0)
    noise = np.random.normal(0, 0.05, 4)
    return (np.full(4, index / 8) + noise).astype(np.float32)


def train():
    np.random.seed(0)
    torch.manual_seed(0)
    with mp.get_context("fork").Pool(2) as pool:
        x = torch.from_numpy(np.stack(pool.map(augment, range(8), chunksize=1)))
    model = nn.Linear(4, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(4):
        opt.zero_grad()
        loss = (model(x) - x.mean(1, keepdim=True)).square().mean()
        loss.backward()
        opt.step()
    return model
