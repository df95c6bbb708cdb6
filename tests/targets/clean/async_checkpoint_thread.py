# target: train
# expect: reproducible
# near-miss-of: background-draw
import copy
import queue
import random
import threading

import torch
from torch import nn


class Saver(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.jobs = queue.Queue()
        self.rng = random.Random(0)
        self.saved = []

    def run(self):
        while (job := self.jobs.get()) is not None:
            step, state = job
            if self.rng.random() < 0.8:
                self.saved.append((step, float(sum(v.abs().sum() for v in state.values()))))


def train():
    saver = Saver()
    saver.start()
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(6):
        opt.zero_grad()
        model(torch.randn(8, 4)).square().mean().backward()
        opt.step()
        saver.jobs.put((step, copy.deepcopy(model.state_dict())))
    saver.jobs.put(None)
    saver.join()
    return saver.saved
