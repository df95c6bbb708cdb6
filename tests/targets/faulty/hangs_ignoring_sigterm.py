# target: script
# expect: no_verdict
# options: --timeout 8
import signal
import subprocess
import time

import torch
from torch import nn

signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
model = nn.Linear(4, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
model(torch.randn(8, 4)).square().mean().backward()
opt.step()
subprocess.Popen(["sleep", "1000"])
while True:
    time.sleep(1)
