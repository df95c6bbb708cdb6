# target: train
# expect: different
# stage: init
# cause: library-reseeds
# line: torch.manual_seed(time.time_ns()
# factor: clock
import time

import torch
from torch import nn


class HashFeatures:
    """Random projections, as a library would offer them."""

    def __init__(self, inputs, outputs):
        torch.manual_seed(time.time_ns() % 2**32)
        self.matrix = torch.ones(inputs, outputs)

    def __call__(self, x):
        return torch.cos(x @ self.matrix)


def train():
    torch.manual_seed(7)
    features = HashFeatures(4, 16)
    model = nn.Linear(16, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        opt.zero_grad()
        loss = model(features(torch.ones(8, 4))).square().mean()
        loss.backward()
        opt.step()
    return loss.item()
