# target: train
# expect: different
# stage: data
# step: 0
# cause: unordered-query
# line: ORDER BY RANDOM()
# factor: intrinsic
import sqlite3

import torch
from torch import nn


def train():
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE points (id INTEGER PRIMARY KEY, a REAL, b REAL, label REAL)")
    db.executemany(
        "INSERT INTO points (a, b, label) VALUES (?, ?, ?)",
        [(i / 100, (i * 37 % 100) / 100, float(i % 2)) for i in range(100)],
    )
    rows = db.execute("SELECT a, b, label FROM points ORDER BY RANDOM() LIMIT 64").fetchall()
    table = torch.tensor(rows)
    model = nn.Linear(2, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.2)
    for batch in table.split(16):
        opt.zero_grad()
        logits = model(batch[:, :2]).squeeze(1)
        nn.functional.binary_cross_entropy_with_logits(logits, batch[:, 2]).backward()
        opt.step()
    return model
