# target: train
# expect: different
# stage: data
# step: 0
# cause: rng-instance-unseeded
# line: self.rng = random.Random()
# factor: intrinsic
import random
from collections import deque

import torch
from torch import nn


class ReplayBuffer:
    def __init__(self, capacity):
        self.items = deque(maxlen=capacity)
        self.rng = random.Random()

    def sample(self, n):
        return torch.stack(self.rng.sample(list(self.items), n))


def train():
    buffer = ReplayBuffer(200)
    buffer.items.extend(torch.randn(200, 6))
    q = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
    opt = torch.optim.Adam(q.parameters(), lr=1e-3)
    for _ in range(5):
        states = buffer.sample(32)
        opt.zero_grad()
        loss = nn.functional.smooth_l1_loss(q(states).max(1).values, states.sum(1))
        loss.backward()
        opt.step()
    return loss.item()
