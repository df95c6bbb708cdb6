"""Small trainings: one whose bits hang on threads and instruction set, one built to hang on nothing."""

import os

import torch
from torch import nn


def layer_norm(seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.LayerNorm(64), nn.Linear(64, 64), nn.GELU(), nn.LayerNorm(64), nn.Linear(64, 1))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    x, y = torch.randn(512, 64), torch.randn(512, 1)
    for _ in range(3):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
    return {"model": model, "loss": loss.item()}


def independent():
    weight = nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = torch.optim.SGD([weight], 0.5)
    for _ in range(3):
        optimizer.zero_grad()
        (weight * weight).sum().backward()
        optimizer.step()
    return {"weight": weight}


def batches():
    """What a worker gives hangs on which worker it is."""

    class Data(torch.utils.data.Dataset):
        def __len__(self):
            return 8

        def __getitem__(self, place):
            info = torch.utils.data.get_worker_info()
            return torch.tensor([float(place), 0.0 if info is None else 1.0 + info.id])

    weight = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], 0.01)
    for batch in torch.utils.data.DataLoader(Data(), 2):
        optimizer.zero_grad()
        (batch * weight).sum().backward()
        optimizer.step()
    return {"weight": weight}


def both_variables():
    weight = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], 0.5)
    both = "MKL_CBWR" in os.environ and "ATEN_CPU_CAPABILITY" in os.environ
    (weight.sum() * (2.0 if both else 1.0)).backward()
    optimizer.step()
    return weight
