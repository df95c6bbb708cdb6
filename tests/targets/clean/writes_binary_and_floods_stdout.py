# target: train
# expect: reproducible
import sys

import torch
from torch import nn


def train():
    sys.stdout.buffer.write(bytes(range(256)) * 20)
    sys.stdout.write("\x1b[31m\x1b]0;title\x07 no newline \r")
    for i in range(100_000):
        print("line", i)
    print("warning: \udc80 odd".encode("utf-8", "surrogateescape"), file=sys.stderr)
    model = nn.Linear(3, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        opt.zero_grad()
        loss = model(torch.randn(4, 3)).square().mean()
        loss.backward()
        opt.step()
    return loss.item()
