# target: train
# expect: different
# stage: init
# cause: ranks-unseeded
# line: torch.seed()
# factor: intrinsic
# needs: slow
import os
import tempfile
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn


def worker(rank, world, folder):
    torch.set_num_threads(1)
    torch.seed()
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
    model = nn.Linear(4, 1)
    for p in model.parameters():
        dist.broadcast(p.data, 0)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(4):
        x = torch.randn(8, 4)
        opt.zero_grad()
        (model(x) - x.sum(1, keepdim=True)).square().mean().backward()
        for p in model.parameters():
            dist.all_reduce(p.grad)
            p.grad /= world
        opt.step()
    if rank == 0:
        torch.save(model.state_dict(), os.path.join(folder, "model.pt"))
    dist.barrier()
    time.sleep(0.2)  # PyTorch 2.13 may wait for ever for gloo's threads, which wait for the GIL: let them end first
    dist.destroy_process_group()


def train():
    torch.manual_seed(0)
    folder = tempfile.mkdtemp()
    mp.spawn(worker, args=(2, folder), nprocs=2)
    return torch.load(os.path.join(folder, "model.pt"))
