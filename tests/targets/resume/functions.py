"""Functions that save and resume by themselves, each in its own way."""

import os
import signal
import sys

import torch
from torch import nn


def made():
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    return model, torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def steps(model, optimizer, first, last, data):
    for step in range(first, last):
        optimizer.zero_grad()
        loss = model(data[step % len(data)]).square().mean()
        loss.backward()
        optimizer.step()
        yield step, loss.item()


def average(forget: bool = False):
    """Returns the average of its weights, which it may forget to restore, and a list with the loss of every step."""
    model, optimizer = made()
    mean, first, losses = model.weight.detach().clone(), 0, []
    if os.path.exists("state.pt"):
        state = torch.load("state.pt")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first, mean = state["step"], mean if forget else state["mean"]
    for step, loss in steps(model, optimizer, first, 12, torch.ones(3, 2, 4).cumsum(0)):
        losses.append(loss)
        mean = 0.5 * mean + 0.5 * model.weight.detach()
        if step % 3 == 2 and step < 9:
            kept = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            torch.save(kept if forget else {**kept, "mean": mean}, "state.pt")
    return {"model": model.state_dict(), "mean": mean, "losses": losses}


def saves_when_asked(resume: str = ""):
    """Saves in its handler of SIGTERM and leaves; resumes from the file that it is given."""
    model, optimizer = made()
    first, asked = 0, []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    if resume:
        state = torch.load(resume)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    for step, _ in steps(model, optimizer, first, 10, torch.ones(3, 2, 4).cumsum(0)):
        if asked:
            kept = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            torch.save(kept, "asked.pt")
            sys.exit(1)
    return model.state_dict()


def fails_to_resume():
    """Its checkpoint cannot be loaded."""
    model, optimizer = made()
    if os.path.exists("state.pt"):
        model.load_state_dict(torch.load("state.pt"))
    for _ in steps(model, optimizer, 0, 6, torch.ones(3, 2, 4)):
        torch.save({"other": model.state_dict()}, "state.pt")


def never_the_same():
    """Differs in every run, stopped or not."""
    model, optimizer = made()
    noise = torch.frombuffer(bytearray(os.urandom(8)), dtype=torch.uint8).float().view(1, 2, 4)
    for _ in steps(model, optimizer, 0, 6, noise):
        pass
    return model.state_dict()


def believes_that_it_is_done():
    """Leaves a mark at its first step, and takes the mark for the end."""
    model, optimizer = made()
    if os.path.exists("done"):
        return model.state_dict()
    for _ in steps(model, optimizer, 0, 6, torch.ones(3, 2, 4)):
        open("done", "w").close()
    return model.state_dict()


def saves_elsewhere(folder: str):
    """Saves to an absolute path, where its own earlier run finds it."""
    model, optimizer = made()
    place = os.path.join(folder, "state.pt")
    if os.path.exists(place):
        model.load_state_dict(torch.load(place))
    for _ in steps(model, optimizer, 0, 6, torch.ones(3, 2, 4)):
        torch.save(model.state_dict(), place)


def no_optimizer():
    return torch.ones(3)
