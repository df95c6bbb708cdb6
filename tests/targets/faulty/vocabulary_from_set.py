# target: train
# expect: different
# stage: data
# step: 0
# cause: str-set-order
# line: list(set(words))
# factor: hash-seed
import torch
from torch import nn

TEXT = """alice was beginning to get very tired of sitting by her sister on the bank and of
having nothing to do once or twice she had peeped into the book her sister was reading but it
had no pictures or conversations in it and what is the use of a book thought alice"""


def train():
    words = TEXT.split()
    vocab = list(set(words))
    index = {w: i for i, w in enumerate(vocab)}
    ids = torch.tensor([index[w] for w in words])
    model = nn.Sequential(nn.Embedding(len(vocab), 8), nn.Linear(8, len(vocab)))
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(4):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(ids[:-1]), ids[1:])
        loss.backward()
        opt.step()
    return loss.item()
