# target: train
# expect: reproducible
# near-miss-of: module-global
from functools import lru_cache

import torch
from torch import nn

HISTORY = []


@lru_cache(maxsize=None)
def basis(n):
    return torch.linspace(-1, 1, 32).unsqueeze(1) ** torch.arange(n)


def record(loss, store=[]):
    store.append(loss)
    HISTORY.append(loss)
    return store


def train():
    model = nn.Linear(5, 1, bias=False)
    opt = torch.optim.SGD(model.parameters(), lr=0.2)
    target = torch.sin(2 * basis(2)[:, 1:])
    for _ in range(5):
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(basis(5)), target)
        loss.backward()
        opt.step()
        record(loss.item())
    return {"history": HISTORY, "last": record(0.0)}
