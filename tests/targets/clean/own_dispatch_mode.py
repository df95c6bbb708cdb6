# target: train
# expect: reproducible
import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


class CountOps(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.counts = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.counts[str(func)] = self.counts.get(str(func), 0) + 1
        return func(*args, **(kwargs or {}))


class ScaleRelu(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        return out * 1.5 if func is torch.relu else out


def train():
    w1 = nn.Linear(6, 12)
    w2 = nn.Linear(12, 1)
    opt = torch.optim.SGD([*w1.parameters(), *w2.parameters()], lr=0.05)
    with CountOps() as ops, ScaleRelu():
        for _ in range(4):
            x = torch.randn(16, 6)
            opt.zero_grad()
            (w2(torch.relu(w1(x))) - x[:, :1]).square().mean().backward()
            opt.step()
    return {"matmuls": ops.counts.get("aten.addmm.default"), "w1": w1, "w2": w2}
