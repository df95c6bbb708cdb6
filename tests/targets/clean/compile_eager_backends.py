# target: train
# expect: reproducible
# needs: slow
import torch
from torch import nn


def fit(backend):
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 1))
    compiled = torch.compile(model, backend=backend)
    opt = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(3):
        x = torch.randn(16, 8)
        opt.zero_grad()
        loss = (compiled(x) - x.sum(1, keepdim=True)).square().mean()
        loss.backward()
        opt.step()
    return loss.item()


def train():
    return {backend: fit(backend) for backend in ("eager", "aot_eager")}
