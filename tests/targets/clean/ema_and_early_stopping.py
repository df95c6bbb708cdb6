# target: train
# expect: reproducible
import copy

import torch
from torch import nn


def train():
    x = torch.randn(80, 7)
    y = x @ torch.randn(7, 1) + 0.1 * torch.randn(80, 1)
    model = nn.Sequential(nn.Linear(7, 16), nn.ReLU(), nn.Linear(16, 1))
    ema = copy.deepcopy(model).requires_grad_(False)
    opt = torch.optim.Adam(model.parameters(), lr=3e-2)
    best, patience, bad = float("inf"), 2, 0
    for epoch in range(10):
        model.train()
        opt.zero_grad()
        nn.functional.mse_loss(model(x[:60]), y[:60]).backward()
        opt.step()
        with torch.no_grad():
            for e, p in zip(ema.parameters(), model.parameters()):
                e.lerp_(p, 0.1)
            model.eval()
            val = nn.functional.mse_loss(model(x[60:]), y[60:]).item()
        best, bad = (val, 0) if val < best - 1e-3 else (best, bad + 1)
        if bad >= patience:
            break
    return {"epochs": epoch + 1, "best": best, "ema": ema}
