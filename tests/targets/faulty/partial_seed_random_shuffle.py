# target: script
# expect: different
# options: --seeding none
# stage: data
# step: 0
# cause: partial-seed
# line: random.shuffle(order)
# factor: intrinsic
import random

import numpy as np
import torch
from torch import nn

np.random.seed(0)
torch.manual_seed(0)

features = torch.from_numpy(np.random.rand(64, 3).astype(np.float32))
targets = features.sum(1, keepdim=True)
order = list(range(64))
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(2):
    random.shuffle(order)
    for start in range(0, 64, 16):
        batch = order[start : start + 16]
        optimizer.zero_grad()
        nn.functional.mse_loss(model(features[batch]), targets[batch]).backward()
        optimizer.step()
