# target: train
# expect: reproducible
import torch
from torch import nn


class TiedAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(12, 5, bias=False)
        self.decoder = nn.Linear(5, 12)
        self.decoder.weight = nn.Parameter(self.encoder.weight.t())
        self.skip = self.encoder

    def forward(self, x):
        return self.decoder(torch.relu(self.encoder(x)) + 0.1 * self.skip(x))


def train():
    model = TiedAutoencoder()
    opt = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(4):
        x = torch.randn(20, 12)
        opt.zero_grad()
        (model(x) - x).square().mean().backward()
        opt.step()
    return model
