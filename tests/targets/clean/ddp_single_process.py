# target: train
# expect: reproducible
import os
import tempfile
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset


def train():
    store = os.path.join(tempfile.mkdtemp(), "store")
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=0, world_size=1)
    try:
        data = TensorDataset(torch.randn(40, 6), torch.randint(0, 2, (40,)))
        sampler = DistributedSampler(data, shuffle=True)
        loader = DataLoader(data, batch_size=10, sampler=sampler)
        model = DistributedDataParallel(nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 2)))
        opt = torch.optim.Adam(model.parameters(), lr=1e-2)
        for epoch in range(2):
            sampler.set_epoch(epoch)
            for x, y in loader:
                opt.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                opt.step()
        return model.module.state_dict()
    finally:
        # PyTorch 2.13 waits for gloo's threads with the GIL held while they may wait for the GIL: let them end first.
        time.sleep(0.2)
        dist.destroy_process_group()
