# target: train
# expect: reproducible
import torch
from torch import nn


def train():
    net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
    opt = torch.optim.Adam(net.parameters())
    for _ in range(5):
        x = torch.rand(10, 3)
        opt.zero_grad()
        nn.functional.mse_loss(net(x), x.prod(1, keepdim=True)).backward()
        opt.step()
