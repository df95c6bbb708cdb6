# target: train
# expect: different
# stage: data
# step: 0
# cause: completion-order
# line: as_completed(futures)
# factor: intrinsic
# race: yes
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

import torch
from torch import nn


def download(index):
    time.sleep(0.002)
    return [float(index % k) / k for k in range(2, 8)]


def train():
    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(download, i) for i in range(160)]
        rows = [f.result() for f in as_completed(futures)]
    x = torch.tensor(rows)
    model = nn.Linear(6, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for batch in x.split(40):
        opt.zero_grad()
        (model(batch) - batch.sum(1, keepdim=True)).square().mean().backward()
        opt.step()
    return model.state_dict()
