# target: script
# expect: reproducible
import torch

with __builtins__.open(__file__) as file:
    size = len(file.read())
model = torch.nn.Linear(2, 1)
opt = torch.optim.SGD(model.parameters(), lr=size / 1e4)
for _ in range(3):
    opt.zero_grad()
    model(torch.randn(4, 2)).square().mean().backward()
    opt.step()
