"""Two causes → one training, as a user would write it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from tests.pairs.causes import CAUSES, Cause

MARK = "#!"
IMPORTS = """\
import concurrent.futures as cf
import glob
import json
import os
import queue
import random
import tempfile
import threading
import time
import uuid
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import nn
"""
FILLERS = (
    """\
    def accuracy(out, y):
        return float(((out > 0) == (y > 0)).float().mean())
    """,
    """\
    class Meter:
        def __init__(self):
            self.total, self.count = 0.0, 0

        def add(self, value):
            self.total += value
            self.count += 1
    """,
    """\
    def learning_rate(step, base=0.05):
        return base / (1 + step)
    """,
)
"""What has nothing to do with any cause."""


@dataclass(frozen=True)
class Training:
    name: str
    causes: tuple[Cause, ...]
    source: str
    lines: tuple[tuple[int, ...], ...]
    """Of each cause the right lines."""
    is_script: bool

    @property
    def options(self) -> tuple[str, ...]:
        seeding = ("--seeding", "none") if any(cause.unseeded for cause in self.causes) else ()
        return (*seeding, "--threads", str(max(cause.threads for cause in self.causes)))


def singles() -> tuple[Training, ...]:
    return tuple(compose((cause,), number) for number, cause in enumerate(CAUSES))


def pairs() -> tuple[Training, ...]:
    """Every third combination, in both orders by turns; the same ones always."""
    found = []
    for number, (one, other) in enumerate(combinations(CAUSES, 2)):
        if number % 3 == 0:
            found.append(compose((one, other) if number % 2 else (other, one), number))
    return tuple(found)


def compose(causes: tuple[Cause, ...], number: int) -> Training:
    """`number` chooses the form: a script or a function, one filler, a model."""
    is_script = number % 2 == 1
    text = [IMPORTS, ""]
    helpers = [(textwrap.dedent(cause.helper), index) for index, cause in enumerate(causes)]
    filler = textwrap.dedent(FILLERS[number % len(FILLERS)])
    helpers.insert(number % (len(helpers) + 1), (filler, -1))
    owned: list[tuple[str, int]] = [(line, -1) for part in text for line in part.splitlines()]
    for helper, index in helpers:
        owned += [("", -1), *((line, index) for line in helper.strip("\n").splitlines()), ("", -1)]
    body = list(_body(causes, number))
    if is_script:
        owned += body
    else:
        owned += [("def train(seed=0):", -1), *((f"    {line}" if line else "", index) for line, index in body)]
        owned.append(("    return model", -1))
    right: list[list[int]] = [[] for _ in causes]
    lines = []
    for at, (line, index) in enumerate(owned, 1):
        if MARK in line:
            right[index].append(at)
            line = line.replace(MARK, "").rstrip()
        lines.append(line)
    return Training(
        name="+".join(cause.name for cause in causes),
        causes=causes,
        source="\n".join(lines) + "\n",
        lines=tuple(tuple(one) for one in right),
        is_script=is_script,
    )


def _body(causes: tuple[Cause, ...], number: int) -> Iterable[tuple[str, int]]:
    seed = "0" if number % 2 == 1 else "seed"
    left = {cause.unseeded for cause in causes}
    for generator, call in (("python", "random.seed"), ("numpy", "np.random.seed"), ("torch", "torch.manual_seed")):
        if generator not in left:
            yield f"{call}({seed})", -1
    yield "x = torch.linspace(-1, 1, 64).view(16, 4)", -1
    yield "y = x.sum(1, keepdim=True).sin()", -1
    yield from _of(causes, "data")
    # What is left unseeded must not reach the weights by another way than its own line.
    if "torch" in left:
        drawing = next(number for number, cause in enumerate(causes) if cause.unseeded == "torch")
        yield f"model = nn.Linear(4, 1)  {MARK}", drawing
        yield "with torch.no_grad():", -1
        yield "    model.weight.fill_(0.1)", -1
        yield "    model.bias.zero_()", -1
    elif number % 4 < 2:
        yield "model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))", -1
    else:
        yield "model = nn.Sequential(*[nn.Linear(4, 4) for _ in range(6)], nn.Linear(4, 1))", -1
    yield from _of(causes, "model")
    yield "optimizer = torch.optim.SGD(model.parameters(), lr=0.05)", -1
    yield "for step in range(4):", -1
    yield "    batch = x", -1
    yield from ((f"    {line}", index) for line, index in _of(causes, "loop"))
    yield "    optimizer.zero_grad()", -1
    yield "    loss = (model(batch) - y).square().mean()", -1
    yield "    loss.backward()", -1
    yield "    optimizer.step()", -1
    yield from ((f"    {line}", index) for line, index in _of(causes, "after"))


def _of(causes: tuple[Cause, ...], place: str) -> Iterable[tuple[str, int]]:
    for index, cause in enumerate(causes):
        for line in getattr(cause, place).splitlines():
            yield line, index
