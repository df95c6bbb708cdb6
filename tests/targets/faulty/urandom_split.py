# target: train
# expect: different
# stage: data
# step: 0
# cause: entropy-seed
# line: secrets.randbits(32)
# factor: intrinsic
import secrets

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def train():
    data = TensorDataset(torch.randn(50, 3), torch.rand(50, 1))
    splitter = torch.Generator().manual_seed(secrets.randbits(32))
    train_set, valid_set = random_split(data, [40, 10], generator=splitter)
    model = nn.Linear(3, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in DataLoader(train_set, batch_size=10):
        opt.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        opt.step()
    return model
