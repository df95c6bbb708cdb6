# target: train
# expect: different
# stage: data
# cause: producer-race
# line: threading.Thread(target=produce
# factor: intrinsic
# race: yes
import queue
import threading
import time

import torch
from torch import nn


def produce(shard, out):
    for i in range(60):
        time.sleep(0.0005)
        out.put((shard * 60 + i) / 240)


def train():
    batches = queue.Queue(maxsize=8)
    for shard in range(4):
        threading.Thread(target=produce, args=(shard, batches), daemon=True).start()
    model = nn.Linear(1, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(6):
        x = torch.tensor([batches.get() for _ in range(40)]).unsqueeze(1)
        opt.zero_grad()
        (model(x) - 3 * x).square().mean().backward()
        opt.step()
    return model.weight
