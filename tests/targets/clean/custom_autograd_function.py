# target: train
# expect: reproducible
import torch
from torch import nn


class StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, temperature):
        ctx.save_for_backward(x)
        ctx.temperature = temperature
        return (torch.rand_like(x) < torch.sigmoid(x / temperature)).to(x.dtype)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        p = torch.sigmoid(x / ctx.temperature)
        return grad * p * (1 - p) / ctx.temperature, None


class BinaryNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(10, 20)
        self.outer = nn.Linear(20, 10)

    def forward(self, x):
        return self.outer(StraightThrough.apply(self.inner(x), 0.7))


def train():
    model = BinaryNet()
    opt = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(5):
        x = torch.bernoulli(torch.full((16, 10), 0.5))
        opt.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(model(x), x).backward()
        opt.step()
    return model.state_dict()
