# target: train
# expect: different
# stage: init
# cause: entropy-seed
# line: run_id = uuid.uuid4()
# factor: intrinsic
import uuid

import torch
from torch import nn


def train():
    run_id = uuid.uuid4()
    torch.manual_seed(run_id.int % 2**32)
    model = nn.Linear(3, 2)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        opt.zero_grad()
        model(torch.ones(4, 3)).square().mean().backward()
        opt.step()
    return model.state_dict()
