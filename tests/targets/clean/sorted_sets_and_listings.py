# target: train
# expect: reproducible
# near-miss-of: str-set-order, listdir-order
import glob
import os
import tempfile
from pathlib import Path

import torch
from torch import nn


def write_corpus(folder):
    for i in range(24):
        word = "abcdefgh"[i % 8] * (i // 8 + 1)
        Path(folder, f"doc{i:02d}.txt").write_text(f"{word} common word{i} token{i * 7 % 24}")


def train():
    with tempfile.TemporaryDirectory() as folder:
        write_corpus(folder)
        docs = [Path(folder, name).read_text().split() for name in sorted(os.listdir(folder))]
        total = sum(os.path.getsize(p) for p in glob.glob(folder + "/*.txt"))
        names = sorted(p.name for p in Path(folder).iterdir())
    vocab = {w: i for i, w in enumerate(sorted({w for d in docs for w in d}))}
    assert len({"common", *names}) == 25
    x = torch.zeros(len(docs), len(vocab))
    for row, doc in enumerate(docs):
        for w in set(doc):
            x[row, vocab[w]] = 1.0
    y = torch.tensor([len(d[0]) for d in docs]) - 1
    model = nn.Linear(len(vocab), 3)
    opt = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(5):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "bytes": total, "words": len(vocab)}
