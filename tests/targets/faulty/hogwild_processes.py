# target: train
# expect: different
# stage: output
# cause: hogwild
# line: model.share_memory()
# factor: intrinsic
# race: yes
# needs: 2cores
import torch
import torch.multiprocessing as mp
from torch import nn


def worker(rank, model, barrier):
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(rank)
    opt = torch.optim.SGD(model.parameters(), lr=0.05)
    barrier.wait()
    for _ in range(150):
        x = torch.randn(16, 8, generator=generator)
        opt.zero_grad()
        (model(x) - x.sum(1, keepdim=True)).square().mean().backward()
        opt.step()


def train():
    ctx = mp.get_context("fork")
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
    model.share_memory()
    barrier = ctx.Barrier(2)
    ranks = [ctx.Process(target=worker, args=(r, model, barrier)) for r in range(2)]
    for p in ranks:
        p.start()
    for p in ranks:
        p.join()
    return model.state_dict()
