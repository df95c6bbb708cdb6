# target: train
# expect: reproducible
# near-miss-of: rng-instance-unseeded, numpy-generator-unseeded
import random

import numpy as np
import torch
from torch import nn


class ReplayBuffer:
    def __init__(self, seed=0):
        self.items = []
        self.rng = random.Random(seed)

    def push(self, item):
        self.items.append(item)

    def sample(self, n):
        return torch.stack(self.rng.sample(self.items, n))


def train():
    rng = np.random.default_rng(random.randrange(2**31))
    buffer = ReplayBuffer()
    for _ in range(50):
        buffer.push(torch.tensor(rng.standard_normal(4), dtype=torch.float32))
    model = nn.Linear(4, 1)
    opt = torch.optim.Adam(model.parameters())
    for _ in range(4):
        batch = buffer.sample(8)
        opt.zero_grad()
        (model(batch) - batch.sum(1, keepdim=True)).square().mean().backward()
        opt.step()
    return model.state_dict()
