# target: train
# expect: different
# stage: step
# step: 0
# cause: entropy-seed
# line: os.urandom(32)
# factor: intrinsic
import os

import torch
from torch import nn


def train():
    x = torch.randn(32, 5)
    labels = torch.tensor(list(os.urandom(32))) % 2
    model = nn.Linear(5, 2)
    criterion = nn.CrossEntropyLoss()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        opt.zero_grad()
        loss = criterion(model(x), labels)
        loss.backward()
        opt.step()
    return loss.item()
