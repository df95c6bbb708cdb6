# target: train
# expect: different
# options: --threads 2
# stage: data
# cause: index-put-duplicates
# line: memory[slots] = values
# factor: intrinsic
# race: yes
# needs: 2cores
import torch
from torch import nn


def scan_there_and_back(size=2_000_000):
    cells = torch.arange(size)
    slots = torch.cat([cells, cells.flip(0)])
    values = torch.rand(2 * size)
    memory = torch.zeros(size)
    memory[slots] = values
    return memory.view(-1, 200)


def train():
    model = nn.Linear(200, 4)
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(8):
        opt.zero_grad()
        loss = model(scan_there_and_back()).square().mean()
        loss.backward()
        opt.step()
    return loss.item()
