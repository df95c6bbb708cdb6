# target: train
# expect: different
# stage: data
# step: 0
# cause: threads-share-rng
# line: np.random.randn(3)
# factor: intrinsic
# race: yes
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import nn


def load(index):
    out = []
    for _ in range(10):
        time.sleep(0.0005)
        out.append(index / 32 + 0.1 * np.random.randn(3))
    return np.stack(out)


def train():
    with ThreadPoolExecutor(8) as pool:
        x = torch.tensor(np.concatenate(list(pool.map(load, range(32)))), dtype=torch.float32)
    model = nn.Linear(3, 1)
    opt = torch.optim.Adam(model.parameters(), lr=0.02)
    for batch in x.split(80):
        opt.zero_grad()
        loss = (model(batch) - batch.mean(1, keepdim=True)).square().mean()
        loss.backward()
        opt.step()
    return loss.item()
