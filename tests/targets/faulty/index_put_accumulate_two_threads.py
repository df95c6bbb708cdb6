# target: train
# expect: different
# options: --threads 2
# stage: data
# cause: cpu-index-accumulate
# line: grid.index_put_(
# factor: intrinsic
# race: yes
# needs: 2cores
import torch
from torch import nn


def splat(points, values, size=48):
    grid = torch.zeros(size * size)
    cells = (points * size).long()
    grid.index_put_((cells[:, 0] * size + cells[:, 1],), values, accumulate=True)
    return grid.view(1, 1, size, size)


def train():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 46 * 46, 1))
    opt = torch.optim.SGD(model.parameters(), lr=1e-7)
    for _ in range(6):
        image = splat(torch.rand(1_000_000, 2), torch.randn(1_000_000))
        opt.zero_grad()
        model(image).square().mean().backward()
        opt.step()
    return model
