# target: script
# expect: reproducible
import torch
from torch import nn


def main():
    model = nn.Linear(4, 1)
    for _ in range(4):
        x = torch.randn(8, 4, requires_grad=True)
        value = model(x)
        slope = torch.autograd.grad(value.sum(), x, create_graph=True)[0]
        loss = value.square().mean() + slope.square().sum()
        gradients = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
        with torch.no_grad():
            for weight, gradient in zip(model.parameters(), gradients):
                if gradient is not None:
                    weight -= 0.1 * gradient


main()
