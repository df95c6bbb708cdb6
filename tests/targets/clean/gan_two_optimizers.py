# target: train
# expect: reproducible
import torch
import torch.nn.functional as F
from torch import nn


def train():
    gen = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
    disc = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    opt_g = torch.optim.Adam(gen.parameters(), lr=1e-3, betas=(0.5, 0.999))
    opt_d = torch.optim.Adam(disc.parameters(), lr=1e-3, betas=(0.5, 0.999))
    for _ in range(4):
        angle = torch.rand(32) * 6.2832
        real = torch.stack([angle.cos(), angle.sin()], dim=1)
        fake = gen(torch.randn(32, 8))

        scores = torch.cat([disc(real), disc(fake.detach())])
        target = torch.cat([torch.ones(32, 1), torch.zeros(32, 1)])
        opt_d.zero_grad()
        F.binary_cross_entropy_with_logits(scores, target).backward()
        opt_d.step()

        opt_g.zero_grad()
        g_loss = F.binary_cross_entropy_with_logits(disc(fake), torch.ones(32, 1))
        g_loss.backward()
        opt_g.step()
    return gen, disc
