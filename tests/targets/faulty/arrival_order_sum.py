# target: train
# expect: different
# stage: step
# step: 0
# cause: arrival-order-sum
# line: total += inbox.get()
# factor: intrinsic
# race: yes
import queue
import threading
import time

import torch
from torch import nn


def client(index, x, state, inbox):
    local = nn.Linear(8, 4)
    local.load_state_dict(state)
    local(x).square().sum().backward()
    time.sleep(0.002)
    inbox.put(local.weight.grad * 10.0 ** (index % 4))


def train():
    server = nn.Linear(8, 4, bias=False)
    opt = torch.optim.SGD(server.parameters(), lr=1e-4)
    data = torch.randn(3, 24, 5, 8)
    for round_data in data:
        inbox = queue.Queue()
        state = {"weight": server.weight.detach().clone(), "bias": torch.zeros(4)}
        for i, x in enumerate(round_data):
            threading.Thread(target=client, args=(i, x, state, inbox)).start()
        total = torch.zeros(4, 8)
        for _ in range(24):
            total += inbox.get()
        server.weight.grad = total
        opt.step()
    return server.weight
