# target: script
# expect: reproducible
import csv
from pathlib import Path

import torch
from pointlib import standardize
from torch import nn

HERE = Path(__file__).resolve().parent

with open(HERE / "data" / "points.csv", newline="") as f:
    rows = [[float(v) for v in row] for row in list(csv.reader(f))[1:]]
table = standardize(torch.tensor(rows))
x, y = table[:, :3], table[:, 3:]

model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(5):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    print(epoch, round(loss.item(), 5))
torch.save(model.state_dict(), "points.pt")
