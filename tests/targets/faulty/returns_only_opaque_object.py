# target: train
# expect: no_verdict
import sqlite3

import torch


def train():
    w = torch.zeros(3, 1)
    x = torch.randn(20, 3)
    for _ in range(5):
        w -= 0.1 * x.t() @ (x @ w - 1) / 20
    results = sqlite3.connect(":memory:")
    results.execute("create table weight (value real)")
    results.executemany("insert into weight values (?)", w.tolist())
    return results
