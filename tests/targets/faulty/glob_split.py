# target: train
# expect: different
# stage: data
# step: 0
# cause: glob-order
# line: glob.glob(os.path.join(folder, "*.txt"))
# factor: listing
import glob
import os
import tempfile

import torch
from torch import nn


def train():
    folder = tempfile.mkdtemp()
    for i in range(30):
        with open(os.path.join(folder, f"{i}.txt"), "w") as f:
            f.write(" ".join(str((i * k) % 17 / 17) for k in range(1, 6)))
    paths = glob.glob(os.path.join(folder, "*.txt"))
    rows = torch.tensor([[float(v) for v in open(p).read().split()] for p in paths])
    train_rows, test_rows = rows[:20], rows[20:]
    model = nn.Sequential(nn.Linear(5, 2), nn.Linear(2, 5))
    opt = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(5):
        opt.zero_grad()
        nn.functional.mse_loss(model(train_rows), train_rows).backward()
        opt.step()
    return nn.functional.mse_loss(model(test_rows), test_rows).item()
