# target: train
# expect: reproducible
import os
import subprocess
import time

import torch
from torch import nn


def start_monitor():
    if os.fork() == 0:
        os.setsid()
        subprocess.Popen(["sleep", "1000"])
        os._exit(0)
    os.wait()


def train():
    start_monitor()
    helper = subprocess.Popen(["sleep", "1000"])
    time.sleep(0.05)
    model = nn.Linear(3, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        opt.zero_grad()
        loss = model(torch.randn(4, 3)).square().mean()
        loss.backward()
        opt.step()
    assert helper.poll() is None
    return loss.item()
