# target: train
# expect: different
# stage: output
# cause: ranks-unseeded
# line: np.random.permutation(64)
# factor: intrinsic
# needs: slow
import numpy as np
import torch
import torch.multiprocessing as mp
from torch import nn


def worker(rank, queue):
    torch.manual_seed(rank)
    x = torch.randn(64, 3)
    model = nn.Linear(3, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for batch in np.random.permutation(64).reshape(4, 16):
        opt.zero_grad()
        (model(x[torch.from_numpy(batch)]) - 1).square().mean().backward()
        opt.step()
    queue.put((rank, model.weight.detach().numpy().tolist()))


def train():
    np.random.seed(0)
    torch.manual_seed(0)
    ctx = mp.get_context("spawn")
    queue = ctx.SimpleQueue()
    ranks = mp.spawn(worker, args=(queue,), nprocs=2, join=False)
    results = dict(queue.get() for _ in range(2))
    while not ranks.join():
        pass
    return results
