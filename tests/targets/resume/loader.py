"""A training with a shuffled loader and averaged weights, which saves in the middle of epochs.

`redraw`: all is restored, and the loader begins anew. `counter`: of the averaging only the weights are restored.
"""

import copy
import os
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

forget = sys.argv[1]
torch.manual_seed(0)
features = torch.randn(40, 6, generator=torch.Generator().manual_seed(1))
loader = DataLoader(TensorDataset(features), batch_size=8, shuffle=True)
model = nn.Sequential(nn.Linear(6, 16), nn.Dropout(0.2), nn.Linear(16, 1))
average, updates, step, state = copy.deepcopy(model), 0, 0, None
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
if os.path.exists("last.pt"):
    state = torch.load("last.pt")
    model.load_state_dict(state["model"])
    average.load_state_dict(state["average"])
    step = state["step"]
    updates = 0 if forget == "counter" else state["updates"]
    torch.set_rng_state(state["rng" if forget == "redraw" else "rng of epoch"])
resumed_at = step
for epoch in range(step // 5, 3):
    rng_of_epoch = torch.get_rng_state()
    for index, (batch,) in enumerate(loader):
        if forget != "redraw" and epoch * 5 + index < resumed_at:
            continue
        if state is not None and forget != "redraw":
            torch.set_rng_state(state["rng"])
        state = None
        if step == 15:
            break
        optimizer.zero_grad()
        model(batch).square().mean().backward()
        optimizer.step()
        step += 1
        updates += 1
        decay = min(0.99, (1 + updates) / (10 + updates))
        with torch.no_grad():
            for mean, value in zip(average.parameters(), model.parameters(), strict=True):
                mean.mul_(decay).add_(value, alpha=1 - decay)
        if step % 3 == 0:
            saved = {"model": model.state_dict(), "average": average.state_dict(), "step": step, "updates": updates}
            torch.save({**saved, "rng": torch.get_rng_state(), "rng of epoch": rng_of_epoch}, "last.pt")
