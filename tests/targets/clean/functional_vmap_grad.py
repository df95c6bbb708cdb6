# target: train
# expect: reproducible
import torch
from torch import nn
from torch.func import functional_call, grad, vmap


def train():
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
    params = {k: v.detach() for k, v in model.named_parameters()}
    x, y = torch.randn(24, 5), torch.randn(24, 1)

    def loss_fn(p, xi, yi):
        return (functional_call(model, p, (xi,)) - yi).square().mean()

    per_sample = vmap(grad(loss_fn), in_dims=(None, 0, 0))
    for _ in range(5):
        grads = per_sample(params, x, y)
        for name, g in grads.items():
            norm = g.flatten(1).norm(dim=1).clamp(min=1.0).view(-1, *[1] * (g.dim() - 1))
            noise = 0.01 * torch.randn_like(params[name])
            params[name] = params[name] - 0.1 * ((g / norm).mean(0) + noise)
    return params
