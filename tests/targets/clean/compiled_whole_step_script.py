# target: script
# expect: reproducible
# needs: slow
import torch
from torch import nn


def main():
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    opt = torch.optim.Adam(model.parameters())

    @torch.compile(backend="eager")
    def step(x):
        loss = model(x).square().mean()
        loss.backward()
        opt.step()
        opt.zero_grad()

    for _ in range(3):
        step(torch.randn(8, 4))


main()
