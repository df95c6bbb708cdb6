# target: train
# expect: different
# options: --compare files
# stage: output
# cause: timing-metric
# line: "saved_at": time.time()
# factor: clock
import json
import time

import torch
from torch import nn


def train():
    model = nn.Linear(3, 1)
    opt = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(4):
        x = torch.randn(8, 3)
        opt.zero_grad()
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        loss.backward()
        opt.step()
    with open("summary.json", "w") as f:
        json.dump({"loss": loss.item(), "saved_at": time.time()}, f)
