# target: train
# expect: reproducible
# near-miss-of: timing-metric
import logging
import sys
import time
import uuid
from datetime import datetime

import torch
from torch import nn

logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(message)s")
log = logging.getLogger("train")


def progress(items, total):
    start = time.perf_counter()
    for n, item in enumerate(items, 1):
        yield item
        rate = n / (time.perf_counter() - start)
        sys.stderr.write(f"\r{'#' * n}{'.' * (total - n)} {n}/{total} [{rate:.1f} it/s]")
    sys.stderr.write("\n")


def train():
    run = f"{datetime.now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
    log.info("run %s", run)
    model = nn.Linear(7, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in progress(range(6), 6):
        x = torch.randn(10, 7)
        loss = (model(x) - 1).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        log.info("step %d loss %.6f", step, loss.item())
    return loss.item()
