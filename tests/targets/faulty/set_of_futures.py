# target: train
# expect: different
# stage: data
# cause: id-order
# line: return [future.result() for future in done]
# factor: intrinsic
# race: yes
import concurrent.futures as cf

import torch
from torch import nn


def shard(i):
    return torch.full((4, 3), float(i + 1))


def load():
    with cf.ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(shard, i) for i in range(12)]
        done, _ = cf.wait(futures)
        return [future.result() for future in done]


def train(seed=0):
    torch.manual_seed(seed)
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for batch in load():
        optimizer.zero_grad()
        model(batch).pow(2).mean().backward()
        optimizer.step()
    return model
