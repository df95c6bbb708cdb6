# target: train
# expect: different
# stage: step
# step: 0
# cause: auto-resume
# line: state["runs"] += 1
# factor: intrinsic
import json
import os

import torch
from torch import nn

STATE = "tuner_state.json"


def next_learning_rate():
    state = {"runs": 0}
    if os.path.exists(STATE):
        with open(STATE) as f:
            state = json.load(f)
    state["runs"] += 1
    with open(STATE, "w") as f:
        json.dump(state, f)
    return 0.1 / state["runs"]


def train():
    model = nn.Linear(4, 1)
    opt = torch.optim.SGD(model.parameters(), lr=next_learning_rate())
    for _ in range(3):
        opt.zero_grad()
        loss = (model(torch.randn(8, 4)) - 1).square().mean()
        loss.backward()
        opt.step()
    return loss.item()
