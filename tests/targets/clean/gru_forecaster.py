# target: train
# expect: reproducible
import math

import torch
from torch import nn


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, 20, batch_first=True)
        self.out = nn.Linear(20, 1)

    def forward(self, x):
        h, _ = self.gru(x)
        return self.out(h[:, -1])


def windows(n=40, length=12):
    wave = torch.sin(torch.arange(n + length + 1) * 2 * math.pi / 17)
    x = torch.stack([wave[i : i + length] for i in range(n)]).unsqueeze(-1)
    y = torch.stack([wave[i + length] for i in range(n)]).unsqueeze(-1)
    return x, y


def train():
    x, y = windows()
    model = Forecaster()
    opt = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(opt, step_size=2, gamma=0.5)
    for epoch in range(3):
        for i in torch.randperm(len(x)).split(20):
            opt.zero_grad()
            nn.functional.mse_loss(model(x[i]), y[i]).backward()
            opt.step()
        scheduler.step()
    return model.state_dict()
