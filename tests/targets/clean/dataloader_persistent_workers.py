# target: train
# expect: reproducible
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


def seed_worker(worker_id):
    np.random.seed(torch.initial_seed() % 2**32)


class Points(Dataset):
    def __len__(self):
        return 32

    def __getitem__(self, i):
        return np.random.normal(size=4).astype(np.float32), np.float32(i % 2)


def train():
    generator = torch.Generator()
    generator.manual_seed(torch.initial_seed())
    loader = DataLoader(
        Points(), batch_size=8, shuffle=True, num_workers=2, persistent_workers=True,
        worker_init_fn=seed_worker, generator=generator,
    )
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    opt = torch.optim.Adam(model.parameters())
    for _ in range(2):
        for x, y in loader:
            opt.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(model(x).squeeze(1), y)
            loss.backward()
            opt.step()
    return loss.item()
