# target: script
# expect: reproducible
# near-miss-of: auto-resume
import os

import torch
from torch import nn

model = nn.Linear(4, 1)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)


def run(steps):
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(8, 4)).square().mean().backward()
        optimizer.step()


run(3)
torch.save(
    {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "rng": torch.get_rng_state()},
    "half.pt",
)
run(3)
expected = model.weight.clone()
state = torch.load("half.pt")
model.load_state_dict(state["model"])
optimizer.load_state_dict(state["optimizer"])
torch.set_rng_state(state["rng"])
run(3)
print("resumed training is equal:", torch.equal(expected, model.weight))
os.remove("half.pt")
