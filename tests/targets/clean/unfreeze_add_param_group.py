# target: train
# expect: reproducible
import torch
from torch import nn


def train():
    body = nn.Linear(6, 10).requires_grad_(False)
    head = nn.Linear(10, 2)
    opt = torch.optim.Adam(head.parameters(), lr=1e-2)
    for step in range(6):
        if step == 3:
            body.requires_grad_(True)
            opt.add_param_group({"params": list(body.parameters()), "lr": 1e-3})
            extra = nn.Parameter(torch.randn(2) * 0.01)
            opt.add_param_group({"params": [extra], "lr": 1e-2})
        x, y = torch.randn(12, 6), torch.randint(0, 2, (12,))
        logits = head(torch.relu(body(x)))
        if step >= 3:
            logits = logits + extra
        opt.zero_grad()
        nn.functional.cross_entropy(logits, y).backward()
        opt.step()
    return {"body": body, "head": head, "extra": extra}
