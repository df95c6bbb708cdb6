# target: train
# expect: reproducible
import torch
from torch import nn


def train():
    x = torch.linspace(-1, 1, 50).unsqueeze(1)
    y = x**3 - 0.5 * x + 0.05 * torch.randn_like(x)
    model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
    opt = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=5, line_search_fn="strong_wolfe")

    def closure():
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        return loss

    history = [opt.step(closure).item() for _ in range(4)]
    return history, model
