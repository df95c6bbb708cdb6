# target: train
# expect: no_verdict
import torch


class Result:
    __slots__ = ("_solve",)

    def __init__(self, solve):
        self._solve = solve

    def predict(self, x):
        return x @ self._solve()


def train():
    w = torch.zeros(3, 1)
    x = torch.randn(20, 3)
    for _ in range(5):
        w -= 0.1 * x.t() @ (x @ w - 1) / 20
    return Result(lambda: w)
