# target: train
# expect: different
# stage: metric
# cause: best-file
# line: best = torch.load("best.pt")
# factor: intrinsic
import os

import torch
from torch import nn


def train():
    model = nn.Linear(4, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.05)
    best = {"loss": float("inf"), "weight": model.weight.detach().clone()}
    if os.path.exists("best.pt"):
        best = torch.load("best.pt")
    improved = 0
    for _ in range(6):
        x = torch.randn(16, 4)
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        if loss.item() < best["loss"]:
            best = {"loss": loss.item(), "weight": model.weight.detach().clone()}
            torch.save(best, "best.pt")
            improved += 1
    return {"best_loss": best["loss"], "improvements": improved}
