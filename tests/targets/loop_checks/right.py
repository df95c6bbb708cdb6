"""What looks like a mistake in how models, gradients and optimizers are treated, and is none."""

import copy

import torch
from torch import nn
from torch.optim.lr_scheduler import LinearLR, OneCycleLR, SequentialLR, StepLR
from torch.optim.swa_utils import AveragedModel, update_bn
from torch.utils.checkpoint import checkpoint

KEPT = []


def model():
    made = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2))
    KEPT.append(made)
    return made


def batch():
    return torch.randn(8, 4)


def accumulates(set_to_none):
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9)
    for _ in range(3):
        for _ in range(4):
            net(batch()).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=set_to_none)


def samples_with_dropout_on():
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    for _ in range(2):
        net.train()
        optimizer.zero_grad()
        net(batch()).square().mean().backward()
        optimizer.step()
        net.eval()
        for part in net.modules():
            if isinstance(part, nn.Dropout):
                part.train()
        with torch.inference_mode():
            net(batch())


def fine_tunes():
    backbone, head = model().requires_grad_(False).eval(), nn.Linear(2, 2)
    KEPT.append(head)
    optimizer = torch.optim.SGD(head.parameters(), 0.01)
    for _ in range(3):
        optimizer.zero_grad()
        head(backbone(batch())).square().mean().backward()
        optimizer.step()


def freezes_its_norms():
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    for _ in range(3):
        net.train()
        net[1].eval()
        optimizer.zero_grad()
        net(batch()).square().mean().backward()
        optimizer.step()


def plays_against_each_other(zero_in_place):
    maker, judge = model(), nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.1), nn.Linear(4, 1))
    KEPT.append(judge)
    makes = torch.optim.Adam(maker.parameters(), 0.01)
    judges = torch.optim.Adam(judge.parameters(), 0.01)
    for _ in range(3):
        judges.zero_grad(set_to_none=not zero_in_place)
        fake = maker(batch())
        (judge(torch.randn(8, 2)).mean() - judge(fake.detach()).mean()).backward()
        judges.step()
        makes.zero_grad(set_to_none=not zero_in_place)
        judge(fake).mean().backward()
        makes.step()


def searches_a_line():
    net = nn.Linear(4, 2)
    KEPT.append(net)
    optimizer, x = torch.optim.LBFGS(net.parameters(), max_iter=4), batch()

    def closure():
        optimizer.zero_grad()
        loss = net(x).square().mean()
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)


def warms_up():
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    warm = LinearLR(optimizer, 0.1, total_iters=2)
    schedulers = [SequentialLR(optimizer, [warm, StepLR(optimizer, 1)], [2]), OneCycleLR(optimizer, 0.1, 10)]
    for _ in range(3):
        optimizer.zero_grad()
        net(batch()).square().mean().backward()
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()


class Wrapped(torch.optim.Optimizer):
    """As libraries for distributed training wrap an optimizer: it is one by name, and steps the one inside."""

    def __init__(self, inside):
        self.inside = inside

    state = property(lambda self: self.inside.state)
    param_groups = property(lambda self: self.inside.param_groups)
    defaults = property(lambda self: self.inside.defaults)

    def step(self, closure=None):
        return self.inside.step(closure)

    def zero_grad(self, set_to_none=True):
        self.inside.zero_grad(set_to_none)


def is_wrapped():
    net = model()
    optimizer = Wrapped(torch.optim.SGD(net.parameters(), lr=0.1))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (step + 1))
    for _ in range(3):
        optimizer.zero_grad()
        net(batch()).square().mean().backward()
        optimizer.step()
        scheduler.step()


def averages():
    net = model()
    average = AveragedModel(net)
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    for _ in range(2):
        optimizer.zero_grad()
        net(batch()).square().mean().backward()
        optimizer.step()
        average.update_parameters(net)
    update_bn([batch()], average)


def estimates_its_statistics(no_grad):
    """As Lightning does after it has averaged weights: with gradients, and no backward pass."""
    net = model()
    KEPT.append(net)
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    for _ in range(3):
        optimizer.zero_grad()
        net(batch()).square().mean().backward()
        optimizer.step()
    for part in net.modules():
        if isinstance(part, nn.BatchNorm1d):
            part.reset_running_stats()
            part.momentum = None
    with torch.set_grad_enabled(not no_grad):
        for _ in range(3):
            net(batch())


def follows_with_momentum():
    net = model()
    slow = copy.deepcopy(net).requires_grad_(False)
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    for _ in range(3):
        x = batch()
        with torch.no_grad():
            wanted = slow(x)
        optimizer.zero_grad()
        (net(x) - wanted).square().mean().backward()
        optimizer.step()


class Recomputing(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5)), nn.Linear(8, 2)

    def forward(self, x):
        return self.last(checkpoint(self.first, x, use_reentrant=False))


def recomputes():
    net = Recomputing()
    KEPT.append(net)
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    for _ in range(3):
        optimizer.zero_grad()
        net(batch()).square().mean().backward()
        optimizer.step()


def sets_gradients_by_hand():
    net = nn.Linear(4, 2)
    KEPT.append(net)
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    for _ in range(3):
        found = torch.autograd.grad(net(batch()).square().mean(), list(net.parameters()))
        for parameter, gradient in zip(net.parameters(), found, strict=True):
            parameter.grad = gradient
        optimizer.step()


def evaluates():
    net = model()
    optimizer = torch.optim.AdamW(net.parameters(), 0.01)
    for _ in range(3):
        net.train()
        optimizer.zero_grad()
        net(batch()).square().mean().backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        net.eval()
        with torch.no_grad():
            net(batch())


def train():
    accumulates(True)
    accumulates(False)
    samples_with_dropout_on()
    fine_tunes()
    freezes_its_norms()
    plays_against_each_other(True)
    plays_against_each_other(False)
    searches_a_line()
    warms_up()
    averages()
    estimates_its_statistics(no_grad=False)
    estimates_its_statistics(no_grad=True)
    is_wrapped()
    follows_with_momentum()
    recomputes()
    sets_gradients_by_hand()
    evaluates()
