# target: script
# expect: no_verdict
import sys

import torch
from torch import nn

model = nn.Linear(4, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(3):
    opt.zero_grad()
    loss = model(torch.randn(8, 4)).square().mean()
    loss.backward()
    opt.step()
if not loss.item() < 1e-6:
    print("did not converge", file=sys.stderr)
    sys.exit(3)
