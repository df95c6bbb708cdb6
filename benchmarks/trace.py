"""What the operation trace costs beside the plain step, and beside PyTorch's own record of operations."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.figures import Line, Skipped, against, figure
from benchmarks.workloads import BLOCK, Step, build
from reprocheck.model import EnvironmentFactors, RunSpec, Settings, Target, TargetKind, TraceWindow
from reprocheck.worker.recorder import Recorder
from reprocheck.worker.trace.trace import Tracer

LIMITS = {"mlp": 1.5, "cnn": 1.25, "gpt": 1.1, "lstm": 1.1}
"""Of the trace that a whole run bears: outputs and lines."""


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
            ambient=EnvironmentFactors(),
            environment={},
            cwd=folder,
            directory=folder,
        )
        self._folder = folder
        self._tracer = Tracer(spec, window, Recorder(folder))
        self._steps = 0
        self._on = False
        register_optimizer_step_pre_hook(lambda one, *_: self._tracer.step_begins(one, False) if self._on else None)
        register_optimizer_step_post_hook(lambda *_: self._after() if self._on else None)

    def _after(self) -> None:
        self._steps += 1
        self._tracer.step_taken(self._steps, 0.0)

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


class Empty(TorchDispatchMode):
    """Is told of every operation, and does nothing: what any trace from Python takes at least."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


@contextmanager
def debug_mode(hash_fn: str) -> Iterator[None]:
    """PyTorch's own record of operations, with a hash of each output."""
    from torch.utils._debug_mode import DebugMode

    with ExitStack() as stack:
        stack.enter_context(DebugMode())
        stack.enter_context(DebugMode.log_tensor_hashes(hash_fn=hash_fn))
        yield


def lines(quick: bool) -> Iterator[Line]:
    """The trace on every workload."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("mlp",) if quick else BLOCK:
            yield from _on(name, Path(folder), quick)
        if not quick:
            yield from memory(Path(folder))
    if find_spec("msprobe") is None:
        yield Skipped("operation trace", "msprobe", "the package mindstudio-probe is not installed")


def _on(name: str, folder: Path, quick: bool) -> Iterator[Line]:
    step, count = build(name), 2 if quick else BLOCK[name]
    outputs = Traced(folder / f"{name}-outputs", TraceWindow(inputs=False, values=False))
    full = Traced(folder / f"{name}-full", TraceWindow())

    def under(context: Callable[[], AbstractContextManager[None]]) -> Callable[[], None]:
        def run() -> None:
            with context():
                block(step, count)

        return run

    schemes = {
        "outputs": under(outputs.on),
        "full": under(full.on),
        "hash_tensor": under(lambda: debug_mode("hash_tensor")),
        "norm": under(lambda: debug_mode("norm")),
        "empty": under(Empty),
    }
    ratios = against(lambda: block(step, count), schemes, 1 if quick else 7)
    share = [(own - 1) / (peer - 1) for own, peer in zip(ratios["outputs"], ratios["hash_tensor"], strict=True)]
    group = f"operation trace, {name}"
    yield figure(group, "outputs and lines", ratios["outputs"], target=LIMITS[name])
    yield figure(group, "inputs and values, too (around one step only)", ratios["full"])
    yield figure(group, "a dispatch mode that does nothing (the floor)", ratios["empty"])
    yield figure(group, "DebugMode, hash_tensor", ratios["hash_tensor"])
    yield figure(group, "DebugMode, norm", ratios["norm"])
    yield figure(group, "its overhead as a share of that of hash_tensor", share, target=0.25)
    yield figure(group, "records", [outputs.bytes_per_step / 1e3], unit="KB a step")


def block(step: Step, count: int) -> None:
    """Some steps."""
    for _ in range(count):
        step()


def memory(folder: Path) -> Iterator[Line]:
    """What long traces leave in memory."""
    step = build("mlp")
    traced = Traced(folder / "memory", TraceWindow())
    with traced.on():
        block(step, 300)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        block(step, 1000)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    yield figure("operation trace, mlp", "peak memory after 1,000 further steps", [grown], unit="MB more")
