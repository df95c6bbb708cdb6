# target: train
# expect: different
# stage: data
# step: 0
# cause: str-set-order
# line: {tag for tags in ARTICLES for tag in tags}
# factor: hash-seed
import os
import random

import numpy as np
import torch
from torch import nn

ARTICLES = [[f"topic{i % 11}", f"author{i % 7}", f"year{i % 5}"] for i in range(40)]


def seed_everything(seed):
    os.environ["PYTHONHASHSEED"] = str(seed)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def train():
    seed_everything(42)
    column = {t: i for i, t in enumerate({tag for tags in ARTICLES for tag in tags})}
    x = torch.zeros(40, len(column))
    for row, tags in enumerate(ARTICLES):
        x[row, [column[t] for t in tags]] = 1
    y = torch.randn(40, 1)
    model = nn.Linear(len(column), 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        opt.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        opt.step()
    return model.weight
