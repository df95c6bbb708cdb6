# target: train
# expect: different
# stage: step
# step: 3
# cause: clock-or-pid-seed
# line: torch.manual_seed(time.time_ns()
# factor: clock
import time

import torch
from torch import nn


def train():
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 2))
    criterion = nn.CrossEntropyLoss()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    x, y = torch.randn(20, 8), torch.randint(0, 2, (20,))
    for step in range(6):
        if step == 3:
            torch.manual_seed(time.time_ns() % 2**31)
        opt.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        opt.step()
    return loss.item()
