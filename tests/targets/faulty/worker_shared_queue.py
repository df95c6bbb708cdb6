# target: train
# expect: different
# stage: data
# cause: worker-race
# line: item = self.tasks.get(timeout=5)
# factor: intrinsic
# race: yes
# needs: 2cores
import multiprocessing as mp

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset


class SharedQueue(IterableDataset):
    def __init__(self, tasks):
        self.tasks = tasks

    def __iter__(self):
        while True:
            item = self.tasks.get(timeout=5)
            if item is None:
                return
            total = sum(k % 7 for k in range(item % 5 * 300))
            yield torch.tensor([item / 1000, (total % 10) / 10])


def train():
    tasks = mp.get_context("fork").Queue()
    for i in range(400):
        tasks.put(i)
    tasks.put(None)
    tasks.put(None)
    loader = DataLoader(SharedQueue(tasks), batch_size=1, num_workers=2, multiprocessing_context="fork")
    rows = [x for x in loader]
    model = nn.Linear(2, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for batch in torch.cat(rows).split(80):
        opt.zero_grad()
        (model(batch) - batch.sum(1, keepdim=True)).square().mean().backward()
        opt.step()
    return model
