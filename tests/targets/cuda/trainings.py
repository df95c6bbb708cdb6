"""Trainings on a GPU. What does not reproduce adds tens of thousands of floats with atomics, so no two runs agree."""

import torch
from torch import nn
from torch.nn import functional as F


def scattered(steps=4):
    values = torch.randn(200_000, device="cuda")
    groups = torch.randint(8, (200_000,), device="cuda")
    weight = nn.Parameter(torch.ones(200_000, device="cuda"))
    optimizer = torch.optim.SGD([weight], 1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        sums = torch.zeros(8, device="cuda").index_add_(0, groups, values * weight)
        (sums**2).sum().backward()
        optimizer.step()
    return weight


def enlarged(steps=4):
    model = nn.Conv2d(3, 4, 3, padding=1).cuda()
    optimizer = torch.optim.SGD(model.parameters(), 1e-2)
    x = torch.randn(8, 3, 64, 64, device="cuda")
    for _ in range(steps):
        optimizer.zero_grad()
        large = F.interpolate(model(x), scale_factor=7.3, mode="bilinear")
        (large * torch.linspace(0, 1, large.shape[-1], device="cuda")).sin().mean().backward()
        optimizer.step()
    return model


def counted(steps=4):
    model = nn.Linear(64, 16).cuda()
    optimizer = torch.optim.SGD(model.parameters(), 1e-2)
    x = torch.randn(4096, 64, device="cuda")
    places = torch.randint(3, (4096, 16), device="cuda")
    for _ in range(steps):
        optimizer.zero_grad()
        sums = torch.zeros(3, 16, device="cuda").scatter_add(0, places, model(x))
        sums.square().sum().backward()
        optimizer.step()
    return model


def digits(steps=6):
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(1024, 10)
    ).cuda()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    x, y = torch.randn(64, 1, 8, 8), torch.randint(10, (64,))
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x.cuda()), y.cuda())
        loss.backward()
        optimizer.step()
    return {"model": model, "loss": loss.item()}


def either(device="cuda", steps=3):
    model = nn.Linear(8, 2).to(device)
    optimizer = torch.optim.SGD(model.parameters(), 1e-2)
    x = torch.ones(4, 8, device=device)
    for _ in range(steps):
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
    return model


def large():
    return torch.zeros(2**31, device="cuda").sum()


def kept_graphs(steps=8):
    model = nn.Linear(1000, 1000).cuda()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    kept = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(torch.randn(256, 1000, device="cuda")).square().mean()
        loss.backward(retain_graph=True)
        optimizer.step()
        kept.append(loss)
        with torch.no_grad():
            model(torch.randn(4096, 1000, device="cuda"))
    return kept


def outgrows(steps=4):
    model = nn.Sequential(nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 8)).cuda()
    optimizer = torch.optim.Adam(model.parameters())
    for step in range(steps):
        images = torch.randn(1024 if step < 2 else 400_000, 1024, device="cuda")
        optimizer.zero_grad()
        model(images).square().mean().backward()
        optimizer.step()
