# target: train
# expect: reproducible
import torch
from torch import nn
from torch.optim import lr_scheduler


def train():
    model = nn.Linear(5, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    warm = lr_scheduler.LinearLR(opt, 0.1, total_iters=2)
    cosine = lr_scheduler.CosineAnnealingLR(opt, T_max=6)
    scheduler = lr_scheduler.SequentialLR(opt, [warm, cosine], milestones=[2])
    plateau = lr_scheduler.ReduceLROnPlateau(opt, patience=1)
    rates = []
    for _ in range(7):
        x = torch.randn(16, 5)
        loss = (model(x) - x.mean(1, keepdim=True)).abs().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        scheduler.step()
        plateau.step(loss.item())
        rates.append(opt.param_groups[0]["lr"])
    return rates
