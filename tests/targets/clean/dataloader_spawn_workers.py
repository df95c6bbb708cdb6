# target: train
# expect: reproducible
# needs: slow
# near-miss-of: spawn-worker-entropy
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Jitter(Dataset):
    def __init__(self, n):
        self.base = torch.linspace(0, 1, n)

    def __len__(self):
        return len(self.base)

    def __getitem__(self, i):
        return self.base[i] + 0.1 * torch.randn(3), self.base[i : i + 1]


def train():
    loader = DataLoader(
        Jitter(24), batch_size=6, shuffle=True, num_workers=2, multiprocessing_context="spawn"
    )
    model = nn.Linear(3, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.05)
    for x, y in loader:
        opt.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        opt.step()
    return model.state_dict()
