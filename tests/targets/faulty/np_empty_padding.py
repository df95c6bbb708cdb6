# target: train
# expect: different
# stage: data
# step: 0
# cause: np-empty
# line: np.empty((len(sequences), longest, 4)
# factor: heap
import numpy as np
import torch
from torch import nn


def pad(sequences):
    longest = max(map(len, sequences))
    out = np.empty((len(sequences), longest, 4), dtype=np.float32)
    for row, seq in zip(out, sequences):
        row[: len(seq)] = seq
    return torch.from_numpy(out)


def train():
    lengths = np.random.randint(5, 40, 64)
    x = pad([np.random.rand(n, 4).astype(np.float32) for n in lengths])
    y = torch.from_numpy(lengths).float().unsqueeze(1) / 40
    model = nn.GRU(4, 8, batch_first=True)
    head = nn.Linear(8, 1)
    opt = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=0.01)
    for _ in range(3):
        opt.zero_grad()
        out, _ = model(x)
        nn.functional.mse_loss(head(out[:, -1]), y).backward()
        opt.step()
    return head.weight
