# target: train
# expect: different
# stage: step
# cause: wall-clock-budget
# line: while time.monotonic() < deadline
# factor: clock
# race: yes
import time

import torch
from torch import nn

SECONDS_PER_EPOCH = 0.12


def train():
    model = nn.Linear(4, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.01)
    steps = 0
    for epoch in range(4):
        opt.param_groups[0]["lr"] = 0.01 / (epoch + 1)
        deadline = time.monotonic() + SECONDS_PER_EPOCH
        while time.monotonic() < deadline:
            x = torch.randn(4, 4)
            opt.zero_grad()
            (model(x) - 1).square().mean().backward()
            opt.step()
            steps += 1
    return {"steps": steps, "weight": model.weight}
