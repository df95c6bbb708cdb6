# target: script
# expect: reproducible
import atexit
import gc
import os
import signal
import sys
import threading
import time

import torch
from torch import nn

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda signum, frame: stop.set())
signal.signal(signal.SIGINT, lambda signum, frame: stop.set())
signal.signal(signal.SIGALRM, lambda signum, frame: None)
atexit.register(lambda: print("bye", os.getpid()))
gc.disable()
gc.freeze()
sys.setrecursionlimit(5000)


def upload():
    time.sleep(0.3)
    with open("uploaded.txt", "w") as f:
        f.write("done\n")


model = nn.Linear(6, 2)
opt = torch.optim.Adam(model.parameters(), lr=0.01)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
for step in range(6):
    if stop.is_set():
        break
    x = torch.randn(12, 6)
    opt.zero_grad()
    nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long()).backward()
    opt.step()
signal.setitimer(signal.ITIMER_REAL, 0)
threading.Thread(target=upload).start()
print("finished, upload still running")
