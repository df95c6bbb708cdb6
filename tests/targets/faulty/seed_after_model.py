# target: train
# expect: different
# options: --seeding none
# stage: init
# cause: seed-after-model
# line: model = nn.Sequential(
# factor: intrinsic
import random

import numpy as np
import torch
from torch import nn


def set_seed(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def train():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    set_seed(42)
    opt = torch.optim.Adam(model.parameters())
    for _ in range(4):
        x = torch.randn(8, 4)
        opt.zero_grad()
        model(x).square().mean().backward()
        opt.step()
    return model.state_dict()
