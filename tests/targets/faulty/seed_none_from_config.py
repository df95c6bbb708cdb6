# target: train
# expect: different
# stage: data
# cause: numpy-generator-unseeded
# line: rng = np.random.default_rng(config.augment_seed)
# factor: intrinsic
from dataclasses import dataclass
from typing import Optional

import numpy as np
import torch
from torch import nn


@dataclass
class Config:
    seed: int = 0
    augment_seed: Optional[int] = None
    lr: float = 0.1


def train(seed=0):
    config = Config(seed=seed)
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.augment_seed)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=config.lr)
    for _ in range(3):
        batch = torch.from_numpy(rng.normal(size=(8, 4)).astype("float32"))
        optimizer.zero_grad()
        model(batch).pow(2).mean().backward()
        optimizer.step()
    return model
