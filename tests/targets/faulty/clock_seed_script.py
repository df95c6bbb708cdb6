# target: script
# expect: different
# stage: init
# cause: clock-or-pid-seed
# line: seed = int(time.time())
# factor: clock
import random
import time

import numpy as np
import torch
from torch import nn

seed = int(time.time())
random.seed(seed)
np.random.seed(seed)
torch.manual_seed(seed)
print("seed", seed)

model = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(4):
    x = torch.rand(8, 2)
    loss = (model(x) - x.prod(1, keepdim=True)).square().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
