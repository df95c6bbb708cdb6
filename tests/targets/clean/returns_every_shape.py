# target: train
# expect: reproducible
from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

Split = namedtuple("Split", "train valid")


@dataclass
class Report:
    loss: float
    accuracy: float
    weights: dict
    history: list = field(default_factory=list)


def train():
    model = nn.Linear(4, 2)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    history = []
    for _ in range(3):
        x = torch.randn(8, 4)
        loss = model(x).logsumexp(1).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        history.append(loss.item())
    return {
        "report": Report(loss.item(), 0.5, model.state_dict(), history),
        "split": Split(train=np.arange(5), valid=[np.float32(0.1), np.int64(3)]),
        "nested": [{"a": (1, 2.5, "three")}, None, True, b"raw"],
        7: OrderedDict(first=torch.ones(2), second={"deep": [torch.zeros(1)]}),
        "model": model,
    }
