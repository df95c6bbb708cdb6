"""A graph network that classifies handwritten digits from the graph of their nearest neighbours.

Run it with `python gcn.py`. Every generator is seeded, and still two runs end with different weights on a CPU
with two or more threads.
"""

import random

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import kneighbors_graph
from torch import nn

NEIGHBOURS = 12


def seed_everything(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def load_graph():
    """The digits as nodes, and an edge from each digit to those that look most like it."""
    pixels, labels = load_digits(return_X_y=True)
    graph = kneighbors_graph(pixels, NEIGHBOURS).tocoo()
    nodes = torch.tensor(pixels / 16, dtype=torch.float32)
    source = torch.tensor(graph.col, dtype=torch.long)
    return nodes, torch.tensor(labels), source


class GraphLayer(nn.Module):
    """Each node hears the mean of its neighbours' messages."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.own = nn.Linear(inputs, outputs)
        self.heard = nn.Linear(inputs, outputs)

    def forward(self, nodes, source):
        messages = self.heard(nodes)[source]  # a node is gathered once for each neighbour that hears it
        return self.own(nodes) + messages.reshape(len(nodes), NEIGHBOURS, -1).mean(1)


class GraphNetwork(nn.Module):
    def __init__(self, inputs, hidden, classes):
        super().__init__()
        self.first = GraphLayer(inputs, hidden)
        self.second = GraphLayer(hidden, classes)

    def forward(self, nodes, source):
        return self.second(self.first(nodes, source).relu(), source)


def train(seed: int = 0, epochs: int = 20):
    seed_everything(seed)
    nodes, labels, source = load_graph()
    known = torch.rand(len(labels)) < 0.1  # the labels that training sees
    model = GraphNetwork(nodes.shape[1], 64, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(epochs):
        scores = model(nodes, source)
        loss = nn.functional.cross_entropy(scores[known], labels[known])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    correct = model(nodes, source).argmax(1) == labels
    accuracy = correct[~known].float().mean().item()
    return {"accuracy": accuracy, "loss": loss.item(), "model": model.state_dict()}


if __name__ == "__main__":
    result = train()
    print(f"accuracy {result['accuracy']:.4f}, last loss {result['loss']:.9f}")
