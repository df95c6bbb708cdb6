# target: train
# expect: different
# stage: data
# step: 0
# cause: completion-order
# line: pool.imap_unordered(featurize
# factor: intrinsic
# race: yes
# needs: 2cores
import multiprocessing as mp

import numpy as np
import torch
from torch import nn


def featurize(i):
    rng = np.random.default_rng(i)
    return rng.normal(size=(200 + i % 3 * 50, 4)).cumsum(0)[-1].astype(np.float32)


def train():
    with mp.get_context("fork").Pool(2) as pool:
        x = torch.from_numpy(np.stack(list(pool.imap_unordered(featurize, range(1000)))))
    model = nn.Linear(4, 4)
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for batch in x[:800].split(200):
        opt.zero_grad()
        nn.functional.smooth_l1_loss(model(batch), batch).backward()
        opt.step()
    return model
