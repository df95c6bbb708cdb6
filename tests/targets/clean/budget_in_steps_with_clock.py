# target: train
# expect: reproducible
# near-miss-of: wall-clock-budget
import time

import torch
from torch import nn

MAX_SECONDS = 3600


def train():
    deadline = time.monotonic() + MAX_SECONDS
    model = nn.Linear(4, 4)
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    step = 0
    while step < 8 and time.monotonic() < deadline:
        x = torch.randn(8, 4)
        opt.zero_grad()
        nn.functional.l1_loss(model(x), x.flip(1)).backward()
        opt.step()
        step += 1
    return step, model.weight.detach().numpy()
