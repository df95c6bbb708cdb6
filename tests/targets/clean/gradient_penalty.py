# target: train
# expect: reproducible
import torch
from torch import nn


def train():
    critic = nn.Sequential(nn.Linear(3, 24), nn.Softplus(), nn.Linear(24, 1))
    opt = torch.optim.Adam(critic.parameters(), lr=1e-3)
    for _ in range(5):
        real, fake = torch.randn(16, 3) + 2, torch.randn(16, 3)
        mix = torch.rand(16, 1)
        x = (mix * real + (1 - mix) * fake).requires_grad_(True)
        (g,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
        penalty = ((g.norm(dim=1) - 1) ** 2).mean()
        loss = critic(fake).mean() - critic(real).mean() + 10 * penalty
        opt.zero_grad()
        loss.backward()
        opt.step()
    return loss.item(), penalty.item()
