# target: script
# expect: reproducible
import threading
import time

import torch


def work():
    time.sleep(0.5)
    model = torch.nn.Linear(3, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    g = torch.Generator().manual_seed(1)
    for _ in range(4):
        opt.zero_grad()
        model(torch.randn(8, 3, generator=g)).square().mean().backward()
        opt.step()


threading.Thread(target=work).start()
