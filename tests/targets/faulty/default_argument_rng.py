# target: train
# expect: different
# stage: data
# step: 0
# cause: import-time-rng
# line: rng=np.random.default_rng()
# factor: intrinsic
import numpy as np
import torch
from torch import nn


class Mixup:
    def __init__(self, alpha=0.4, rng=np.random.default_rng()):
        self.alpha, self.rng = alpha, rng

    def __call__(self, x, y):
        lam = float(self.rng.beta(self.alpha, self.alpha))
        order = torch.from_numpy(self.rng.permutation(len(x)))
        return lam * x + (1 - lam) * x[order], lam * y + (1 - lam) * y[order]


def train():
    torch.manual_seed(0)
    np.random.seed(0)
    mixup = Mixup()
    model = nn.Linear(6, 3)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        x, y = torch.randn(16, 6), torch.eye(3)[torch.randint(0, 3, (16,))]
        x, y = mixup(x, y)
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
    return loss.item()
