# target: train
# expect: reproducible
# near-miss-of: builtin-hash
import zlib

import torch
from torch import nn


def fold(user, folds=4):
    return zlib.crc32(user.encode()) % folds


def train():
    users = [f"user{i}@example.org" for i in range(60)]
    x, y = torch.randn(60, 3), torch.rand(60, 1)
    folds = torch.tensor([fold(u) for u in users])
    same_hash = hash("user1") == hash("user" + "1")
    scores = []
    for k in range(4):
        model = nn.Linear(3, 1)
        opt = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            opt.zero_grad()
            nn.functional.mse_loss(model(x[folds != k]), y[folds != k]).backward()
            opt.step()
        with torch.no_grad():
            scores.append(nn.functional.mse_loss(model(x[folds == k]), y[folds == k]).item())
    return {"scores": scores, "same_hash": same_hash}
