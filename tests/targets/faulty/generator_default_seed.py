# target: train
# expect: reproducible
# options: --seeds 2
# finding: generator-default-seed
# cause: generator-default-seed
# line: generator=torch.Generator()
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def train():
    grid = torch.linspace(-1, 1, 64).unsqueeze(1)
    data = TensorDataset(grid, grid.square())
    loader = DataLoader(data, batch_size=16, shuffle=True, generator=torch.Generator())
    model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for x, y in loader:
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        opt.step()
    return loss.item()
