# target: train
# expect: different
# stage: data
# step: 0
# cause: data-changed
# line: open("samples.csv", "a"
# factor: intrinsic
import csv

import torch
from torch import nn


def collect(n=20):
    with open("samples.csv", "a", newline="") as f:
        writer = csv.writer(f)
        for _ in range(n):
            writer.writerow(torch.rand(3).tolist())


def train():
    collect()
    with open("samples.csv", newline="") as f:
        table = torch.tensor([[float(v) for v in row] for row in csv.reader(f)])
    model = nn.Linear(2, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(5):
        opt.zero_grad()
        nn.functional.mse_loss(model(table[:, :2]), table[:, 2:]).backward()
        opt.step()
    return model.state_dict()
