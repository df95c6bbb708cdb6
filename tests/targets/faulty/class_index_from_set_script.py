# target: script
# expect: different
# stage: step
# step: 0
# cause: str-set-order
# line: enumerate(set(names))
# factor: hash-seed
import torch
from torch import nn

names = [f"species_{i % 15}" for i in range(60)]
labels = {name: i for i, name in enumerate(set(names))}
x = torch.randn(60, 6)
y = torch.tensor([labels[n] for n in names])

model = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 15))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in range(5):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")
