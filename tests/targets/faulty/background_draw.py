# target: train
# expect: different
# stage: data
# cause: background-draw
# line: torch.randint(0, 100, (1,))
# factor: intrinsic
# race: yes
import threading
import time

import torch
from torch import nn


def monitor(stop, samples):
    while not stop.is_set():
        samples.append(int(torch.randint(0, 100, (1,))))
        time.sleep(0.0002)


def train():
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.SGD(model.parameters(), lr=0.01)
    stop, samples = threading.Event(), []
    thread = threading.Thread(target=monitor, args=(stop, samples))
    thread.start()
    for _ in range(8):
        time.sleep(0.01)
        x = torch.randn(64, 32)
        opt.zero_grad()
        (model(x) - x.mean(1, keepdim=True)).square().mean().backward()
        opt.step()
    stop.set()
    thread.join()
    return model
