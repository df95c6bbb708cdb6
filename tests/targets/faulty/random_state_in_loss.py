# target: train
# expect: different
# stage: step
# step: 0
# cause: rng-instance-unseeded
# line: NEGATIVES = np.random.RandomState()
# factor: intrinsic
import numpy as np
import torch
from torch import nn

NEGATIVES = np.random.RandomState()


class Ranker(nn.Module):
    def __init__(self):
        super().__init__()
        self.users, self.items = nn.Embedding(50, 8), nn.Embedding(1000, 8)

    def forward(self, users):
        return self.users(users) @ self.items.weight.t()


def train():
    model = Ranker()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    users, liked = torch.arange(50), torch.arange(50) * 3
    for _ in range(4):
        scores = model(users)
        disliked = torch.from_numpy(NEGATIVES.randint(0, 1000, 50))
        gap = scores.gather(1, liked[:, None]) - scores.gather(1, disliked[:, None])
        opt.zero_grad()
        loss = -nn.functional.logsigmoid(gap).mean()
        loss.backward()
        opt.step()
    return loss.item()
