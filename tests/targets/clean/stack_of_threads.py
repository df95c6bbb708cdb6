# target: train
# expect: reproducible
# near-miss-of: hogwild
# Models of a pool's threads, each with numbers of its own, are called in the main thread afterwards. Which thread comes
# first changes from run to run, and changes no number.
import os
import threading

import torch
from torch import nn


def fit(number, x, y, models, turn, after):
    turn.wait()
    generator = torch.Generator().manual_seed(number)
    model = nn.utils.skip_init(nn.Linear, 4, 1)
    with torch.no_grad():
        model.weight.copy_(torch.randn(1, 4, generator=generator))
        model.bias.zero_()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    models[number] = model
    after.set()


def train():
    x = torch.randn(32, 4)
    y = x.sum(1, keepdim=True)
    models = {}
    turns = [threading.Event() for _ in range(4)]
    order = [0, 1, 2] if not os.environ.get("REPROCHECK_RUN", "").endswith("r1") else [2, 0, 1]
    threads = [
        threading.Thread(target=fit, args=(number, x, y, models, turns[place], turns[place + 1]))
        for place, number in enumerate(order)
    ]
    for thread in threads:
        thread.start()
    turns[0].set()
    for thread in threads:
        thread.join()
    features = torch.cat([models[number](x).detach() for number in range(3)], dim=1)
    stack = nn.Linear(3, 1)
    optimizer = torch.optim.Adam(stack.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.mse_loss(stack(features), y).backward()
        optimizer.step()
    return stack
