# target: train
# expect: reproducible
import csv
import os
import time
import uuid

import torch
from torch import nn


def train():
    out = os.path.join("runs", f"{time.time_ns()}-{uuid.uuid4().hex[:8]}")
    os.makedirs(out)
    model = nn.Linear(3, 1)
    opt = torch.optim.Adam(model.parameters(), lr=0.05)
    with open(os.path.join(out, "metrics.csv"), "w", newline="") as f:
        writer = csv.writer(f)
        for step in range(5):
            x = torch.randn(8, 3)
            loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            writer.writerow([time.time(), step, loss.item()])
    torch.save({"model": model.state_dict(), "saved_at": time.time()}, os.path.join(out, "last.pt"))
    with open("latest.txt", "w") as f:
        f.write(f"{out} {time.time_ns()}\n")
    return loss.item()
