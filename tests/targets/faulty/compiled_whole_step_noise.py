# target: script
# expect: different
# needs: slow
# stage: step
# cause: numpy-generator-unseeded
# line: rng = np.random.default_rng()
# factor: intrinsic
import numpy as np
import torch
from torch import nn


def main():
    rng = np.random.default_rng()
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    opt = torch.optim.Adam(model.parameters())

    @torch.compile(backend="eager")
    def step(x):
        loss = model(x).square().mean()
        loss.backward()
        opt.step()
        opt.zero_grad()

    for _ in range(3):
        step(torch.from_numpy(rng.normal(size=(8, 4))).float())


main()
