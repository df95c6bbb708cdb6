# target: train
# expect: different
# stage: data
# step: 0
# cause: listdir-order
# line: for name in os.listdir(folder)
# factor: listing
import os
import tempfile

import numpy as np
import torch
from torch import nn


def make_shards(folder):
    for i in range(24):
        np.save(os.path.join(folder, f"shard{i:03d}.npy"), np.full((4, 3), i / 24, dtype=np.float32))


def train():
    with tempfile.TemporaryDirectory() as folder:
        make_shards(folder)
        shards = [np.load(os.path.join(folder, name)) for name in os.listdir(folder)]
    model = nn.Linear(3, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for batch in torch.from_numpy(np.concatenate(shards)).split(32):
        opt.zero_grad()
        (model(batch) - 1).square().mean().backward()
        opt.step()
    return model
