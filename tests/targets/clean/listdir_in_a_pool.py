# target: train
# expect: reproducible
import multiprocessing
import os

import torch


def train():
    os.makedirs("shards", exist_ok=True)
    for index in range(3):
        open(f"shards/{index}.txt", "w").close()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        (names,) = pool.map(os.listdir, ["shards"])
    model = torch.nn.Linear(len(names), 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.ones(2, len(names))).sum().backward()
    opt.step()
    return sorted(names), model
