# target: train
# expect: reproducible
import random

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Noisy(Dataset):
    def __len__(self):
        return 48

    def __getitem__(self, i):
        x = np.full(6, i / 48, dtype=np.float32) + 0.1 * np.random.rand(6).astype(np.float32)
        if random.random() < 0.5:
            x = x[::-1].copy()
        return torch.from_numpy(x) + 0.01 * torch.randn(6), torch.tensor([i / 48])


def train():
    loader = DataLoader(Noisy(), batch_size=8, shuffle=True, num_workers=2)
    model = nn.Linear(6, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(1):
        for x, y in loader:
            opt.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            opt.step()
    return model
