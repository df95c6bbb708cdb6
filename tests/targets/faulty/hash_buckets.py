# target: train
# expect: different
# stage: data
# step: 0
# cause: builtin-hash
# line: hash(token) % BUCKETS
# factor: hash-seed
import torch
from torch import nn

BUCKETS = 128
LOGS = [f"user{i} opened page{i * 7 % 13} from city{i % 9} using device{i % 4}" for i in range(30)]


def encode(line):
    return [hash(token) % BUCKETS for token in line.split()]


def train():
    ids = torch.tensor([encode(line) for line in LOGS])
    clicked = torch.tensor([float(i % 3 == 0) for i in range(30)])
    model = nn.EmbeddingBag(BUCKETS, 1, mode="sum")
    opt = torch.optim.Adagrad(model.parameters(), lr=0.1)
    for _ in range(4):
        opt.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(model(ids).squeeze(1), clicked)
        loss.backward()
        opt.step()
    return loss.item()
