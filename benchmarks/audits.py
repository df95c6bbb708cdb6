"""Whole audits beside plain runs of the same script: start-up, and what is left of it in a longer training."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Line, Skipped, figure

TINY = """
import torch
torch.manual_seed(0)
model = torch.nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for _ in range(3):
    optimizer.zero_grad()
    model(torch.randn(4, 8)).sum().backward()
    optimizer.step()
"""
CNN = """
import torch, torch.nn as nn
torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(3, 32, 3), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.Flatten(),
    nn.Linear(64 * 28 * 28, 10),
)
optimizer = torch.optim.Adam(model.parameters())
x, y = torch.randn(32, 3, 32, 32), torch.randint(0, 10, (32,))
for _ in range(200):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
"""
SET_ORDER = """
import torch
torch.manual_seed(0)
words = "the quick brown fox jumps over the lazy dog".split()
index = {word: number for number, word in enumerate(set(words))}
x = torch.tensor([[float(index[word])] for word in words])
model = torch.nn.Sequential(torch.nn.Linear(1, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
optimizer = torch.optim.SGD(model.parameters(), 1e-4)
for _ in range(200):
    optimizer.zero_grad()
    model(x).pow(2).mean().backward()
    optimizer.step()
"""
CLOCK = SET_ORDER.replace("manual_seed(0)", "manual_seed(__import__('time').time_ns() % 100000)").replace(
    "set(words)", "sorted(set(words))"
)
SPAWNS = """
import random
import torch.multiprocessing as mp

def worker(number, queue):
    import torch
    model = torch.nn.Linear(4, 1)
    with torch.no_grad():
        model.weight.fill_(random.random())
    queue.put(model.weight.sum().item())

def train():
    import torch
    torch.manual_seed(0)
    context = mp.get_context("spawn")
    queue = context.SimpleQueue()
    child = context.Process(target=worker, args=(0, queue))
    child.start()
    value = queue.get()
    child.join()
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    model(torch.full((1, 4), value)).sum().backward()
    optimizer.step()
    return model

if __name__ == "__main__":
    train()
"""
EXPLAINED = {"a set's order": SET_ORDER, "a seed from the clock": CLOCK, "a spawned process that nobody seeds": SPAWNS}
MOST_RUN_TIMES = 8.0
AUDIT = ("-m", "reprocheck", "run", "--threads", "1")


def lines(quick: bool) -> Iterator[Line]:
    """Wall time of commands, one after the other."""
    rounds = 1 if quick else 5
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tiny.py").write_text(TINY)
        Path(folder, "cnn.py").write_text(CNN)
        six, two = ("--seeds", "3", "--repeats", "2"), ("--repeats", "2")
        cases = [
            ("six runs of a tiny script", "tiny.py", 6, six, 0.45),
            ("the same, --isolation process", "tiny.py", 6, (*six, "--isolation", "process"), None),
            ("two runs of a tiny script", "tiny.py", 2, two, None),
        ]
        if quick:
            cases = cases[-1:]
        else:
            cases.append(("two runs of a CNN of 200 steps", "cnn.py", 2, two, None))
        for name, script, count, arguments, target in cases:
            ratios = []
            for _ in range(rounds):
                plain = sum(wall(script, folder=folder) for _ in range(count // 2))
                own = wall(*AUDIT, *arguments, script, folder=folder)
                plain += sum(wall(script, folder=folder) for _ in range(count - count // 2))
                ratios.append(own / plain)
            yield figure("whole audits", f"{name} / as many plain runs", ratios, target=target)
        for number, (name, source) in enumerate(list(EXPLAINED.items())[: 1 if quick else None]):
            script = f"explained{number}.py"
            Path(folder, script).write_text(source)
            ratios = [explanation(script, folder) for _ in range(1 if quick else 3)]
            yield figure("whole audits", f"explanation: {name} / a plain run", ratios, target=MOST_RUN_TIMES)
        start = [wall("-m", "reprocheck", "--help", folder=folder) for _ in range(rounds)]
        yield figure("whole audits", "reprocheck --help", start, unit="s")
    if shutil.which("reprotest") is None:
        yield Skipped("whole audits", "reprotest", "it is not installed; it re-runs builds and compares files")


def explanation(script: str, folder: str) -> float:
    """What the explanation adds to an audit, in times of a plain run."""
    plain = wall(script, folder=folder)
    bare = wall(*AUDIT, "--no-explain", script, folder=folder, code=1)
    whole = wall(*AUDIT, script, folder=folder, code=1)
    plain += wall(script, folder=folder)
    return 2 * (whole - bare) / plain


def wall(*arguments: str, folder: str, code: int = 0) -> float:
    """Seconds of one command that ends with `code`."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if done.returncode != code:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}, not {code}")
    return time.perf_counter() - start
