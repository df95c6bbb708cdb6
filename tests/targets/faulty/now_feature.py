# target: train
# expect: different
# stage: data
# step: 0
# cause: now-feature
# line: now = datetime.now()
# factor: clock
from datetime import datetime

import torch
from torch import nn

SIGNUPS = [datetime(2020 + i % 5, 1 + i % 12, 1 + i % 28) for i in range(40)]


def train():
    now = datetime.now()
    age = torch.tensor([(now - s).total_seconds() / 86400 / 365 for s in SIGNUPS], dtype=torch.float64)
    x = torch.stack([age, age.square()], dim=1)
    y = torch.tensor([float(i % 3 == 0) for i in range(40)], dtype=torch.float64)
    model = nn.Linear(2, 1).double()
    opt = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(4):
        opt.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(model(x).squeeze(1), y)
        loss.backward()
        opt.step()
    return loss.item()
