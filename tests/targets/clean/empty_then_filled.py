# target: train
# expect: reproducible
# near-miss-of: empty-parameter, np-empty
import numpy as np
import torch
from torch import nn


class Bilinear(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(6, 6))
        self.bias = nn.Parameter(torch.empty(1))
        self.register_buffer("scratch", torch.empty(500, 6), persistent=False)
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.xavier_uniform_(self.weight)
        nn.init.zeros_(self.bias)
        self.scratch.fill_(0)

    def forward(self, a, b):
        self.scratch[: len(a)] = a @ self.weight
        return (self.scratch[: len(a)].clone() * b).sum(1) + self.bias


def batch():
    buffer = np.empty((400, 6), dtype=np.float32)
    for i in range(400):
        buffer[i] = np.random.rand(6)
    return torch.from_numpy(buffer)


def train():
    model = Bilinear()
    opt = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(3):
        a, b = batch(), batch()
        out = torch.empty(400)
        torch.sum(a * b, dim=1, out=out)
        opt.zero_grad()
        nn.functional.mse_loss(model(a, b), out).backward()
        opt.step()
        model.scratch = torch.empty(500, 6).zero_()
    return model
