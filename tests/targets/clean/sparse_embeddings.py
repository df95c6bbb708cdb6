# target: train
# expect: reproducible
import torch
from torch import nn


class Recommender(nn.Module):
    def __init__(self, users=200, items=300):
        super().__init__()
        self.user = nn.Embedding(users, 8, sparse=True)
        self.item = nn.Embedding(items, 8, sparse=True)
        self.bias = nn.Linear(16, 1)

    def forward(self, u, i):
        u, i = self.user(u), self.item(i)
        return (u * i).sum(1) + self.bias(torch.cat([u, i], dim=1)).squeeze(1)


def train():
    model = Recommender()
    sparse = torch.optim.SparseAdam([model.user.weight, model.item.weight], lr=1e-2)
    dense = torch.optim.Adam(model.bias.parameters(), lr=1e-2)
    for _ in range(4):
        u, i = torch.randint(0, 200, (32,)), torch.randint(0, 300, (32,))
        rating = ((u + i) % 5).float()
        loss = nn.functional.mse_loss(model(u, i), rating)
        sparse.zero_grad()
        dense.zero_grad()
        loss.backward()
        sparse.step()
        dense.step()
    return {"loss": loss.item(), "user": model.user.weight.detach().to_sparse()}
