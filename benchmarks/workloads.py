"""Training steps that figures are taken of: what small models do, and a state of many small tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

Step = Callable[[], Any]
BLOCK = {"mlp": 60, "cnn": 10, "gpt": 2, "lstm": 4}
"""Steps that are timed together."""


class Attention(nn.Module):
    """One layer of a transformer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        parts = self.mix(self.before(x)).view(batch, length, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + functional.dropout(self.project(seen.transpose(1, 2).reshape(batch, length, width)), 0.1)
        return x + self.mlp(self.between(x))


class Recurrent(nn.Module):
    """A language model on an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.lstm, self.head = (
            nn.Embedding(500, 64),
            nn.LSTM(64, 128, 2, batch_first=True),
            nn.Linear(128, 500),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(self.embed(x))[0])


def _itself(model: nn.Module) -> nn.Module:
    return model


def build(name: str, wrap: Callable[[nn.Module], nn.Module] = _itself) -> Step:
    """One training step of a workload. `wrap`: makes what is called of the model."""
    torch.manual_seed(0)
    if name == "mlp":
        model: nn.Module = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 10))
        x, y = torch.randn(64, 784), torch.randint(10, (64,))
        optimizer: torch.optim.Optimizer = torch.optim.SGD(model.parameters(), 1e-2, momentum=0.9)
    elif name == "cnn":
        layers: list[nn.Module] = []
        for inputs, outputs in ((3, 16), (16, 32), (32, 64)):
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
        model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, 10))
        x, y = torch.randn(32, 3, 32, 32), torch.randint(10, (32,))
        optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    elif name == "gpt":
        blocks = (Attention(256, 8) for _ in range(4))
        model = nn.Sequential(nn.Embedding(1000, 256), *blocks, nn.LayerNorm(256), nn.Linear(256, 1000, bias=False))
        x, y = torch.randint(1000, (8, 128)), torch.randint(1000, (8, 128))
        optimizer = torch.optim.AdamW(model.parameters(), 3e-4)
    else:
        model = Recurrent()
        x, y = torch.randint(500, (32, 64)), torch.randint(500, (32, 64))
        optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    called = wrap(model)

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(called(x).flatten(0, y.dim() - 1), y.flatten()).backward()
        optimizer.step()

    return step


def small_tensors(count: int) -> list[torch.Tensor]:
    """So many tensors of 64 bytes, each in memory of its own."""
    return [torch.randn(16) for _ in range(count)]
