"""What an audit costs beside plain runs of the same script: `python benchmarks/overhead.py [ROUNDS]`.

A small CNN on one thread, long (about 20 s on the machine this was written on) and short. Each round times a plain run,
an audit of two runs, and a plain run again, and prints audit / (plain + plain). Nothing else should be running.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

TRAINING = """
import sys, torch, torch.nn as nn
torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(3, 32, 3), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.Flatten(),
    nn.Linear(64 * 28 * 28, 10),
)
optimizer = torch.optim.Adam(model.parameters())
x, y = torch.randn(32, 3, 32, 32), torch.randint(0, 10, (32,))
for _ in range(int(sys.argv[1])):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
"""
STEPS = {"long": 420, "short": 1}


def seconds(*words: str, folder: str) -> float:
    """Wall time of one command."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "cnn.py"), "w", encoding="utf-8") as file:
            file.write(TRAINING)
        for name, steps in STEPS.items():
            for _ in range(rounds):
                before = seconds("cnn.py", str(steps), folder=folder)
                audit = seconds("-m", "reprocheck", "run", "cnn.py", "--", str(steps), folder=folder)
                after = seconds("cnn.py", str(steps), folder=folder)
                plain = before + after
                times = f"plain {before:.1f} s and {after:.1f} s, audit of 2 runs {audit:.1f} s"
                print(f"{name}: {times}: {audit / plain:.3f}")


if __name__ == "__main__":
    main()
