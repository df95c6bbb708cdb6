# target: script
# expect: different
# stage: step
# step: 1
# cause: numpy-generator-unseeded
# line: noise = torch.from_numpy(rng.normal(size=weight.shape))
# factor: intrinsic
import numpy as np
import torch
from torch import nn

rng = np.random.default_rng()


def main():
    model = nn.Linear(4, 1).double()
    for _ in range(4):
        loss = (model(torch.randn(8, 4, dtype=torch.float64)) - 1).square().mean()
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for weight, gradient in zip(model.parameters(), gradients):
                noise = torch.from_numpy(rng.normal(size=weight.shape))
                weight -= 0.1 * (gradient + 0.01 * noise)


main()
