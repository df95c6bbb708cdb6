# Models that start badly, each told by its class, and models that only look like it.
import torch
from torch import nn


class Model(nn.Sequential):
    """One class for each: the name is what a report shows."""


def mlp(name, activation, draw=None, depth=2, width=64, norm=False):
    layers = []
    for _ in range(depth):
        layers += [nn.Linear(width, width), *([nn.LayerNorm(width)] if norm else []), activation()]
    model = type(name, (Model,), {})(*layers, nn.Linear(width, 4))
    if draw is not None:
        for layer in model:
            if isinstance(layer, nn.Linear):
                draw(layer.weight)
    return model


class Unwritten(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(64, 64))

    def forward(self, x):
        return (x @ self.weight.clamp(-1, 1)).tanh()


class NoNumber(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(64, 8)
        self.second = nn.Linear(8, 4)

    def forward(self, x):
        return self.second(self.first(x) / 0.0 * 0.0)


class Tied(nn.Module):
    """A weight with two uses."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(64, 64))
        nn.init.xavier_normal_(self.weight)

    def forward(self, x):
        return (x @ self.weight).relu() + (x @ self.weight).exp()


class Translator(nn.Transformer):
    """PyTorch draws these weights itself."""

    def __init__(self):
        super().__init__(d_model=64, nhead=2, num_encoder_layers=2, num_decoder_layers=2, dim_feedforward=64)

    def forward(self, x):
        return super().forward(x[None], x[None])


def fit(*models):
    x = torch.randn(32, 64)
    losses = [model(x).square().mean() for model in models]
    for model, loss in zip(models, losses, strict=True):
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        loss.backward()
        optimizer.step()


def wrong():
    torch.manual_seed(0)
    fit(
        mlp("XavierRelu", nn.ReLU, nn.init.xavier_normal_),
        mlp("XavierLeaky", lambda: nn.LeakyReLU(0.2), nn.init.xavier_uniform_),
        mlp("KaimingTanh", nn.Tanh, lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu")),
        mlp("Sigmoids", nn.Sigmoid, depth=12),
        mlp("Large", nn.ReLU, nn.init.normal_, depth=6),
        mlp("Small", nn.ReLU, lambda w: nn.init.normal_(w, std=1e-3), depth=6),
        Unwritten(),
        NoNumber(),
    )


def right():
    torch.manual_seed(0)
    zero_head = mlp("ZeroHead", nn.ReLU)
    nn.init.zeros_(zero_head[-1].weight)
    fit(
        mlp("Default", nn.ReLU, depth=4),
        mlp("KaimingRelu", nn.ReLU, lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"), depth=6),
        mlp("XavierTanh", nn.Tanh, nn.init.xavier_normal_, depth=6),
        mlp("Normed", nn.ReLU, nn.init.xavier_normal_, depth=8, norm=True),
        mlp("Gpt", nn.GELU, lambda w: nn.init.normal_(w, std=0.02), norm=True),
        zero_head,
        Tied(),
        Translator(),
        nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten()),
    )


kept = []


def leaks():
    torch.manual_seed(0)
    model = nn.Linear(1000, 300)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for _ in range(8):
        loss = model(torch.randn(200, 1000)).square().mean()
        optimizer.zero_grad()
        loss.backward(retain_graph=True)
        optimizer.step()
        kept.append(loss)


def keeps_numbers():
    torch.manual_seed(0)
    model = nn.Linear(1000, 300)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for _ in range(8):
        loss = model(torch.randn(200, 1000)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        kept.append(loss.item())


def too_large():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(500, 1000), nn.ReLU(), nn.Linear(1000, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for step in range(8):
        images = torch.randn(1000 if step < 2 else 200_000, 500)
        loss = model(images).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
