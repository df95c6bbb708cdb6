# target: train
# expect: different
# stage: output
# cause: wall-clock-branch
# line: if time.monotonic() - last >= every:
# factor: intrinsic
# race: yes
import time

import torch
from torch import nn


def train(seed=0, every=0.02):
    torch.manual_seed(seed)
    model = nn.Linear(8, 1)
    average = nn.Linear(8, 1)
    average.load_state_dict(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    last = time.monotonic()
    for _ in range(60):
        optimizer.zero_grad()
        model(torch.randn(64, 8)).pow(2).mean().backward()
        optimizer.step()
        if time.monotonic() - last >= every:
            last = time.monotonic()
            with torch.no_grad():
                for a, p in zip(average.parameters(), model.parameters()):
                    a.lerp_(p, 0.5)
    return average
