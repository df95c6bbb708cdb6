# target: train
# expect: different
# stage: data
# step: 0
# cause: third-party-rng
# line: sampler = qmc.Sobol(d=3)
# factor: intrinsic
import torch
from scipy.stats import qmc
from torch import nn


def train():
    sampler = qmc.Sobol(d=3)
    points = torch.tensor(sampler.random(32), dtype=torch.float32)
    y = (points**2).sum(1, keepdim=True)
    model = nn.Sequential(nn.Linear(3, 12), nn.Tanh(), nn.Linear(12, 1))
    opt = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(5):
        opt.zero_grad()
        nn.functional.mse_loss(model(points), y).backward()
        opt.step()
    return model
