# target: train
# expect: reproducible
# near-miss-of: completion-order
import multiprocessing as mp

import numpy as np
import torch
from torch import nn


def featurize(i):
    t = np.linspace(0, 1, 16)
    return np.sin((i + 1) * t) + np.cos(t * i**0.5)


def train():
    with mp.get_context("fork").Pool(2) as pool:
        features = np.stack(pool.map(featurize, range(40)))
    x = torch.tensor(features, dtype=torch.float32)
    y = torch.arange(40.0).unsqueeze(1) / 40
    model = nn.Sequential(nn.Linear(16, 8), nn.Sigmoid(), nn.Linear(8, 1))
    opt = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(5):
        opt.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        opt.step()
    return model(x).detach().numpy()
