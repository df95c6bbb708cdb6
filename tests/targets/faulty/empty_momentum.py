# target: train
# expect: different
# stage: step
# step: 0
# cause: empty-buffer
# line: torch.empty_like(p)
# factor: heap
import torch
from torch import nn


class HeavyBall(torch.optim.Optimizer):
    def __init__(self, params, lr=0.01, beta=0.9):
        super().__init__(params, {"lr": lr, "beta": beta})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["velocity"] = torch.empty_like(p)
                velocity = state["velocity"].mul_(group["beta"]).add_(p.grad)
                p.sub_(group["lr"] * velocity)


def train():
    model = nn.Sequential(nn.Linear(40, 60), nn.ReLU(), nn.Linear(60, 1))
    opt = HeavyBall(model.parameters())
    for _ in range(4):
        x = torch.randn(16, 40)
        opt.zero_grad()
        (model(x) - x[:, :1]).square().mean().backward()
        opt.step()
    return model.state_dict()
