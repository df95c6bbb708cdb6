# target: train
# expect: different
# stage: init
# cause: auto-resume
# line: if os.path.exists("checkpoints/last.pt")
# factor: intrinsic
import os

import torch
from torch import nn


def train():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    if os.path.exists("checkpoints/last.pt"):
        state = torch.load("checkpoints/last.pt")
        model.load_state_dict(state["model"])
        opt.load_state_dict(state["optimizer"])
    for _ in range(4):
        x = torch.randn(16, 4)
        opt.zero_grad()
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        loss.backward()
        opt.step()
    os.makedirs("checkpoints", exist_ok=True)
    torch.save({"model": model.state_dict(), "optimizer": opt.state_dict()}, "checkpoints/last.pt")
    return loss.item()
