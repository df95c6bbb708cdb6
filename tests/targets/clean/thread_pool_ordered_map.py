# target: train
# expect: reproducible
# near-miss-of: completion-order
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import nn


def load_shard(index):
    rng = np.random.default_rng([7, index])
    return rng.normal(size=(16, 5)).astype(np.float32)


def train():
    with ThreadPoolExecutor(4) as pool:
        shards = list(pool.map(load_shard, range(8)))
    model = nn.Sequential(nn.Linear(5, 10), nn.ReLU(), nn.Linear(10, 5))
    opt = torch.optim.Adam(model.parameters(), lr=1e-2)
    for shard in shards:
        x = torch.from_numpy(shard)
        opt.zero_grad()
        loss = (model(x) - x).abs().mean()
        loss.backward()
        opt.step()
    return loss.item()
