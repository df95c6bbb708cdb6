# target: script
# expect: different
# stage: step
# step: 3
# cause: numpy-generator-unseeded
# line: model.weight += torch.from_numpy(np.random.default_rng().normal(size=model.weight.shape)).float()
# factor: intrinsic
import numpy as np
import torch
from torch import nn

model = nn.Linear(4, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    opt.zero_grad()
    model(torch.randn(8, 4)).square().mean().backward()
    opt.step()
with torch.no_grad():
    model.weight += torch.from_numpy(np.random.default_rng().normal(size=model.weight.shape)).float()
