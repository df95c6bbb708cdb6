"""Trainings that go wrong in how they treat models, gradients and optimizers; each on the line that says so."""

import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR

KEPT = []


def model():
    made = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2))
    KEPT.append(made)
    return made


def step(net, optimizer):
    optimizer.zero_grad()
    net(torch.randn(8, 4)).square().mean().backward()
    optimizer.step()


def forgets_eval():
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), 0.01)  # made first
    for _ in range(3):
        step(net, optimizer)
        with torch.no_grad():
            net(torch.randn(8, 4))  # train-mode-without-grad


def never_switches_back():
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    for epoch in range(3):
        optimizer.zero_grad()
        net(torch.randn(8, 4)).square().mean().backward()
        optimizer.step()  # step-after-evaluation
        net.eval()
        with torch.no_grad():
            net(torch.randn(8, 4))


def starts_in_eval():
    net = model().eval()
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    for _ in range(2):
        optimizer.zero_grad()
        net(torch.randn(8, 4)).square().mean().backward()
        optimizer.step()  # step-in-eval-mode


def evaluates_with_a_graph():
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    for _ in range(2):
        net.train()
        step(net, optimizer)
        net.eval()
        for _ in range(3):
            net(torch.randn(8, 4))  # graph-in-evaluation


def never_zeroes():
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    for _ in range(3):
        net(torch.randn(8, 4)).square().mean().backward()
        optimizer.step()  # gradients-not-zeroed


def steps_twice():
    net = model()
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    step(net, optimizer)
    optimizer.step()  # step-on-old-gradients


def steps_first():
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    optimizer.step()  # step-without-gradients
    step(net, optimizer)


def schedules_first():
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    scheduler = StepLR(optimizer, 1)
    scheduler.step()  # scheduler-before-optimizer
    step(net, optimizer)


class WithUnused(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, x):
        return self.used(x)


def leaves_one_out():
    net = WithUnused()
    KEPT.append(net)
    optimizer = torch.optim.SGD(net.parameters(), 0.01)  # parameters-without-gradient
    step(net, optimizer)


def adds_a_head_too_late():
    net = nn.Sequential(nn.Linear(4, 4))
    KEPT.append(net)
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    net.append(nn.Linear(4, 2))
    step(net, optimizer)


def evaluates_as_it_trains():
    net = model()
    step(net, torch.optim.SGD(net.parameters(), 0.01))
    net(torch.randn(8, 4))  # evaluation-in-train-mode


def train():
    forgets_eval()
    never_switches_back()
    starts_in_eval()
    evaluates_with_a_graph()
    never_zeroes()
    steps_twice()
    steps_first()
    schedules_first()
    leaves_one_out()
    adds_a_head_too_late()
    evaluates_as_it_trains()


def trains_another():
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), 0.01)  # nothing-is-trained
    other = model()  # its parameters are in no optimizer
    for _ in range(2):
        optimizer.zero_grad()
        other(torch.randn(8, 4)).square().mean().backward()
        optimizer.step()
