# target: train
# expect: reproducible
from __future__ import annotations

from dataclasses import asdict, dataclass, field

import torch
from torch import nn


@dataclass
class Node:
    width: int
    children: list[Node] = field(default_factory=list)


@dataclass
class Config:
    lr: float = 0.05
    tree: Node = field(default_factory=lambda: Node(8, [Node(4), Node(4, [Node(2)])]))


class Tree(nn.Module):
    def __init__(self, node, inputs):
        super().__init__()
        self.lin = nn.Linear(inputs, node.width)
        self.children_ = nn.ModuleList(Tree(c, node.width) for c in node.children)

    def forward(self, x):
        x = torch.tanh(self.lin(x))
        return x.mean(1) + sum(child(x) for child in self.children_)


def train():
    config = Config()
    model = Tree(config.tree, 5)
    opt = torch.optim.SGD(model.parameters(), lr=config.lr)
    for _ in range(4):
        x = torch.randn(10, 5)
        opt.zero_grad()
        loss = (model(x) - x.mean(1)).square().mean()
        loss.backward()
        opt.step()
    return {"config": asdict(config), "loss": loss.item(), "as_object": config}
