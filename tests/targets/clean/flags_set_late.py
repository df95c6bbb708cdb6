# target: train
# expect: reproducible
import os
import warnings

import torch
from torch import nn


def train():
    model = nn.Sequential(nn.Linear(5, 9), nn.ReLU(), nn.Linear(9, 1))
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    warnings.simplefilter("error")
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    for step in range(4):
        if step == 2:
            torch.use_deterministic_algorithms(True, warn_only=True)
        x = torch.randn(16, 5)
        opt.zero_grad()
        loss = (model(x) - x.norm(dim=1, keepdim=True)).abs().mean()
        loss.backward()
        opt.step()
    return loss
