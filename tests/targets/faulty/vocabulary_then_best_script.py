# target: script
# expect: different
# stage: data
# step: 0
# cause: str-set-order
# line: list(set(words))
# factor: hash-seed
import torch
from torch import nn

words = "the cat sat on the mat and the dog sat too".split()
vocabulary = list(set(words))
index = {word: i for i, word in enumerate(vocabulary)}
x = torch.tensor([index[word] for word in words])
torch.manual_seed(0)


def make():
    return nn.Sequential(nn.Embedding(len(vocabulary), 4), nn.Linear(4, 1))


model = make()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(12):
    optimizer.zero_grad()
    model(x).pow(2).mean().backward()
    optimizer.step()
best = make()
best.load_state_dict(model.state_dict())
best.eval()
with torch.no_grad():
    print(f"test {best(x).mean().item():.4f}")
