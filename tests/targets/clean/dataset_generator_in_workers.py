# target: train
# expect: reproducible
# near-miss-of: dataset-rng-duplicate, worker-count
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Augmented(Dataset):
    def __init__(self, n, seed):
        self.rng = np.random.default_rng(seed)
        self.x = self.rng.normal(size=(n, 4)).astype(np.float32)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i] + self.rng.normal(scale=0.1, size=4).astype(np.float32)


def train():
    loader = DataLoader(Augmented(32, seed=3), batch_size=8, num_workers=2)
    model = nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 4))
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for x in loader:
        opt.zero_grad()
        nn.functional.mse_loss(model(x), x).backward()
        opt.step()
    return model
