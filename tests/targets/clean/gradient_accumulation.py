# target: train
# expect: reproducible
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def train():
    data = TensorDataset(torch.randn(96, 12), torch.randint(0, 4, (96,)))
    loader = DataLoader(data, batch_size=8, shuffle=True)
    model = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Dropout(0.3), nn.Linear(24, 4))
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    accumulate, running = 4, 0.0
    for i, (x, y) in enumerate(loader):
        loss = nn.functional.cross_entropy(model(x), y) / accumulate
        loss.backward()
        running += loss.item()
        if (i + 1) % accumulate == 0:
            opt.step()
            opt.zero_grad()
    return running
