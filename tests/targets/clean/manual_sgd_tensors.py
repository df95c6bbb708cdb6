# target: train
# expect: reproducible
import torch


def train():
    x = torch.randn(100, 3)
    y = x @ torch.tensor([[1.5], [-2.0], [0.5]]) + 0.3
    w = torch.randn(3, 1, requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    for _ in range(10):
        loss = ((x @ w + b - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
            b -= 0.1 * b.grad
        w.grad.zero_()
        b.grad.zero_()
    return w, b, loss.item()
