# target: script
# argv: --seed {seed}
# expect: reproducible
# options: --seeds 2
# finding: seed-unused
# cause: seed-unused
# line: seed_everything(config.seed)
import argparse
import random
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn


@dataclass
class Config:
    lr: float = 0.05
    seed: int = 2021


def seed_everything(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()
config = Config()
seed_everything(config.seed)
model = nn.Linear(6, 1)
opt = torch.optim.SGD(model.parameters(), lr=config.lr)
for step in range(4):
    x = torch.from_numpy(np.random.rand(8, 6).astype(np.float32))
    opt.zero_grad()
    nn.functional.mse_loss(model(x), x.mean(1, keepdim=True)).backward()
    opt.step()
