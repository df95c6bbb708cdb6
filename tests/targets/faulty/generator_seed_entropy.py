# target: train
# expect: different
# stage: data
# step: 0
# cause: entropy-reseed
# line: generator.seed()
# factor: intrinsic
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def train():
    generator = torch.Generator()
    generator.seed()
    data = TensorDataset(torch.randn(60, 4), torch.randint(0, 2, (60,)))
    loader = DataLoader(data, batch_size=12, shuffle=True, generator=generator)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        opt.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        opt.step()
    return model.state_dict()
