"""What the operation trace costs beside the plain step: `python benchmarks/trace.py [ROUNDS] [WORKLOADS]`.

Every round times blocks of plain steps, of steps traced with outputs only, of fully traced steps (inputs and values,
too) and of steps under PyTorch's DebugMode with tensor hashes, one after the other. Printed are the ratios of processor
time to the plain block: the median over the rounds, and that of the best blocks. One thread; nothing else should run.
"""

from __future__ import annotations

import gc
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from reprocheck.model import Ambient, RunSpec, Settings, Target, TargetKind, TraceWindow
from reprocheck.worker.recorder import Recorder
from reprocheck.worker.trace import Tracer

Step = Callable[[], Any]
LIMITS = {"mlp": 1.6, "cnn": 1.35, "gpt": 1.15, "lstm": 1.2}
"""Of the ratio with outputs only."""
BLOCK = {"mlp": 60, "cnn": 10, "gpt": 2, "lstm": 4}
"""Steps a block."""


class Attention(nn.Module):
    """One layer of a transformer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        parts = self.mix(self.before(x)).view(batch, length, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + functional.dropout(self.project(seen.transpose(1, 2).reshape(batch, length, width)), 0.1)
        return x + self.mlp(self.between(x))


class Recurrent(nn.Module):
    """A language model on an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.lstm, self.head = (
            nn.Embedding(500, 64),
            nn.LSTM(64, 128, 2, batch_first=True),
            nn.Linear(128, 500),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(self.embed(x))[0])


def build(name: str) -> Step:
    """One training step of a workload."""
    torch.manual_seed(0)
    if name == "mlp":
        model: nn.Module = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 10))
        x, y = torch.randn(64, 784), torch.randint(10, (64,))
        optimizer: torch.optim.Optimizer = torch.optim.SGD(model.parameters(), 1e-2, momentum=0.9)
    elif name == "cnn":
        layers: list[nn.Module] = []
        for inputs, outputs in ((3, 16), (16, 32), (32, 64)):
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
        model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, 10))
        x, y = torch.randn(32, 3, 32, 32), torch.randint(10, (32,))
        optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    elif name == "gpt":
        blocks = (Attention(256, 8) for _ in range(4))
        model = nn.Sequential(nn.Embedding(1000, 256), *blocks, nn.LayerNorm(256), nn.Linear(256, 1000, bias=False))
        x, y = torch.randint(1000, (8, 128)), torch.randint(1000, (8, 128))
        optimizer = torch.optim.AdamW(model.parameters(), 3e-4)
    else:
        model = Recurrent()
        x, y = torch.randint(500, (32, 64)), torch.randint(500, (32, 64))
        optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(model(x).flatten(0, y.dim() - 1), y.flatten()).backward()
        optimizer.step()

    return step


class Traced:
    """A tracer that can be switched on and off, without the rest of a run."""

    def __init__(self, folder: Path, window: TraceWindow) -> None:
        folder.mkdir()
        spec = RunSpec(
            id="benchmark",
            seed=0,
            repeat=0,
            target=Target(text="benchmark", kind=TargetKind.SCRIPT, path=Path(__file__).absolute()),
            settings=Settings(),
            ambient=Ambient(),
            environment={},
            cwd=folder,
            directory=folder,
        )
        self._folder = folder
        self._tracer = Tracer(spec, window, Recorder(folder))
        self._steps = 0
        self._on = False
        register_optimizer_step_pre_hook(lambda *_: self._tracer.step_begins() if self._on else None)
        register_optimizer_step_post_hook(lambda *_: self._after() if self._on else None)

    def _after(self) -> None:
        self._steps += 1
        self._tracer.step_ends(self._steps)

    @property
    def bytes_per_step(self) -> float:
        """Of records."""
        return (self._folder / "trace.bin").stat().st_size / max(1, self._steps)

    @contextmanager
    def on(self) -> Iterator[None]:
        """Traced inside."""
        module_class: Any = nn.Module
        original = module_class.__call__
        module_class.__call__ = self._tracer.modules.watch_calls(original, lambda module: type(module).__name__)
        self._on = True
        self._tracer.enter_thread()
        try:
            yield
        finally:
            self._tracer.leave_thread()
            self._on = False
            module_class.__call__ = original


@contextmanager
def debug_mode() -> Iterator[None]:
    """PyTorch's own record of operations, with a hash of each output."""
    from torch.utils._debug_mode import DebugMode

    with ExitStack() as stack:
        stack.enter_context(DebugMode())
        stack.enter_context(DebugMode.log_tensor_hashes(hash_fn="hash_tensor"))
        yield


@contextmanager
def plain() -> Iterator[None]:
    """Nothing at all."""
    yield


def measure(name: str, rounds: int, folder: Path) -> None:
    """Time one workload and print it."""
    step, count = build(name), BLOCK[name]
    outputs = Traced(folder / f"{name}-outputs", TraceWindow(inputs=False, values=False))
    full = Traced(folder / f"{name}-full", TraceWindow())
    schemes = {"outputs": outputs.on, "full": full.on, "DebugMode": debug_mode}
    times: dict[str, list[tuple[float, float]]] = {scheme: [] for scheme in schemes}
    for round_ in range(rounds + 1):
        for scheme, context in schemes.items():
            before = timed(step, count, plain)
            if round_:  # the first one warms up
                times[scheme].append((timed(step, count, context), before))
            else:
                timed(step, count, context)
    best = min(before for pairs in times.values() for _, before in pairs)
    texts = (
        f"{scheme} {statistics.median(time / before for time, before in pairs):.2f} "
        f"(best {min(time for time, _ in pairs) / best:.2f})"
        for scheme, pairs in times.items()
    )
    sizes = f"{outputs.bytes_per_step / 1e3:.1f} and {full.bytes_per_step / 1e3:.1f} KB of records a step"
    print(f"{name}: plain {best / count * 1e3:.1f} ms; {', '.join(texts)}; limit {LIMITS[name]}; {sizes}", flush=True)


def timed(step: Step, count: int, context: Callable[[], Any]) -> float:
    """Processor seconds of a block."""
    gc.collect()
    with context():
        step()
        start = time.process_time()
        for _ in range(count):
            step()
        return time.process_time() - start


def memory(name: str, folder: Path) -> None:
    """What long traces leave in memory."""
    step = build(name)
    traced = Traced(folder / f"{name}-memory", TraceWindow())
    peaks = []
    with traced.on():
        for _ in range(3):
            for _ in range(300):
                step()
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(f"{name}: resident peak after 300, 600 and 900 traced steps: {', '.join(f'{peak:.0f}' for peak in peaks)} MB")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    names = sys.argv[2].split(",") if len(sys.argv) > 2 else list(BLOCK)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        for name in names:
            measure(name, rounds, Path(folder))
        memory("mlp", Path(folder))


if __name__ == "__main__":
    main()
