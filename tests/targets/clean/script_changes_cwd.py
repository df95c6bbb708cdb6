# target: script
# expect: reproducible
import os
import tempfile

import torch
from torch import nn

workdir = tempfile.mkdtemp(prefix="run-")
os.chdir(workdir)
torch.set_default_dtype(torch.float64)

model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
with open("log.txt", "w") as log:
    for step in range(5):
        x = torch.rand(12, 4)
        loss = (model(x) - x.max(1, keepdim=True).values).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        log.write(f"{step} {loss.item()}\n")
torch.save(model.state_dict(), "last.pt")
os.remove("last.pt")
