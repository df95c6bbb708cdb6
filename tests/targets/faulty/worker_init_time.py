# target: train
# expect: different
# stage: data
# step: 0
# cause: worker-init-entropy
# line: np.random.seed((os.getpid() * int(time.time()))
# factor: pid
import os
import time

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Crops(Dataset):
    def __init__(self):
        self.images = torch.rand(32, 1, 10, 10)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        top, left = np.random.randint(0, 4, 2)
        return self.images[i, :, top : top + 6, left : left + 6], i % 2


def seed_worker(worker_id):
    np.random.seed((os.getpid() * int(time.time())) % 123456789)


def train():
    loader = DataLoader(Crops(), batch_size=16, num_workers=2, worker_init_fn=seed_worker)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
    opt = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(2):
        for x, y in loader:
            opt.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            opt.step()
    return model
