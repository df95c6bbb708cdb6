# target: script
# argv: --output out --seed {seed}
# expect: different
# stage: step
# step: 0
# cause: auto-resume
# line: optimizer.load_state_dict(torch.load(path))
# factor: intrinsic
import argparse
from pathlib import Path

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--output", type=Path, default=Path("out"))
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

args.output.mkdir(parents=True, exist_ok=True)
path = args.output / "optimizer.pt"
torch.manual_seed(args.seed)
model = nn.Linear(5, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
if path.is_file():
    optimizer.load_state_dict(torch.load(path))
for step in range(4):
    x = torch.randn(10, 5)
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long()).backward()
    optimizer.step()
torch.save(optimizer.state_dict(), path)
