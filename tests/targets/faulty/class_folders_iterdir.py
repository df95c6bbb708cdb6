# target: train
# expect: different
# stage: step
# step: 0
# cause: listdir-order
# line: root.iterdir()
# factor: listing
import tempfile
from pathlib import Path

import torch
from torch import nn


def train():
    root = Path(tempfile.mkdtemp())
    for i in range(20):
        (root / f"n{i:04d}").mkdir()
    classes = {folder.name: label for label, folder in enumerate(root.iterdir())}
    x = torch.randn(20, 5)
    y = torch.tensor([classes[f"n{i:04d}"] for i in range(20)])
    model = nn.Linear(5, 20)
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(4):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
    return loss.item()
