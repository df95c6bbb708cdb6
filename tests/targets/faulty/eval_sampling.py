# target: train
# expect: different
# stage: metric
# cause: eval-sampling
# line: subset = np.random.default_rng().choice
# factor: intrinsic
import numpy as np
import torch
from torch import nn


def evaluate(model, x, y):
    subset = np.random.default_rng().choice(len(x), 100, replace=False)
    model.eval()
    with torch.no_grad():
        return nn.functional.mse_loss(model(x)[subset], y[subset]).item()


def train():
    x = torch.randn(400, 5)
    y = x.sum(1, keepdim=True) + torch.randn(400, 1)
    model = nn.Linear(5, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for batch in torch.arange(200).split(50):
        opt.zero_grad()
        nn.functional.mse_loss(model(x[batch]), y[batch]).backward()
        opt.step()
    return {"test_loss": evaluate(model, x, y)}
