# target: train
# expect: reproducible
# near-miss-of: auto-resume
import os
import shutil

import torch
from torch import nn


def train():
    if os.path.exists("output"):
        shutil.rmtree("output")
    os.makedirs("output")
    model = nn.Linear(4, 1)
    if os.path.exists("output/last.pt"):
        model.load_state_dict(torch.load("output/last.pt"))
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(4):
        x = torch.randn(16, 4)
        opt.zero_grad()
        loss = (model(x) - x[:, :1]).square().mean()
        loss.backward()
        opt.step()
        torch.save(model.state_dict(), f"output/epoch{epoch}.pt")
        shutil.copy(f"output/epoch{epoch}.pt", "output/last.pt")
    restored = torch.load("output/last.pt")
    return {"loss": loss.item(), "restored": restored}
