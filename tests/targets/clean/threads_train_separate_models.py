# target: train
# expect: reproducible
# near-miss-of: hogwild
import threading

import torch
from torch import nn


def fit(model, generator, results, member):
    opt = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(5):
        x = torch.randn(32, 4, generator=generator)
        opt.zero_grad()
        (model(x).squeeze(1) - x.sum(1)).square().mean().backward()
        opt.step()
    results[member] = model.state_dict()


def train():
    seed = torch.initial_seed()
    models = [nn.Linear(4, 1) for _ in range(4)]
    results = [None] * 4
    threads = []
    for member, model in enumerate(models):
        generator = torch.Generator().manual_seed(seed + member)
        threads.append(threading.Thread(target=fit, args=(model, generator, results, member)))
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results
