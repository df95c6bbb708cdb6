# target: train
# expect: reproducible
# options: --compare files
import json

import torch
from torch import nn


def train():
    model = nn.Linear(3, 1)
    opt = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(5):
        x = torch.randn(8, 3)
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    with open("metrics.json", "w") as f:
        json.dump({"losses": losses, "weight": model.weight.tolist()}, f, indent=2)
