# target: train
# expect: different
# stage: output
# cause: entropy-seed
# line: uuid.uuid4().hex
# factor: intrinsic
import uuid

import torch
from torch import nn


def train():
    name = uuid.uuid4().hex
    model = nn.Linear(2, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        opt.zero_grad()
        loss = model(torch.randn(4, 2)).square().mean()
        loss.backward()
        opt.step()
    return {"run": name, "loss": loss.item()}
