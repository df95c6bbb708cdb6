"""What the observation of every step costs beside the plain step, and beside hooks that take SHA-256 of the state."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import xxhash
from torch import nn
from torch.optim import optimizer as optimizers

from benchmarks.figures import Line, against, figure
from benchmarks.workloads import BLOCK, build
from reprocheck.model import EnvironmentFactors, RunSpec, Settings, SketchWindow, Target, TargetKind
from reprocheck.worker.bootstrap.heap import HeapFill
from reprocheck.worker.inputs.sites import Sites
from reprocheck.worker.observe.observe import Observer
from reprocheck.worker.observe.sketch import Sketcher
from reprocheck.worker.recorder import Recorder

LIMITS = {"mlp": 1.12, "cnn": 1.03, "gpt": 1.02, "lstm": 1.02}
"""Tighter for steps of 20 ms and more."""


class Observed:
    """The observation of a run, which can be taken away again."""

    def __init__(self, folder: Path, sketches: bool = False) -> None:
        """`sketches`: values are written down, too (`--drift`)."""
        folder.mkdir()
        before = self._state()
        target = Target(text=__file__, kind=TargetKind.SCRIPT, path=Path(__file__))
        spec = RunSpec(
            id="run",
            seed=0,
            repeat=0,
            target=target,
            settings=Settings(),
            ambient=EnvironmentFactors(),
            environment={},
            cwd=folder,
            directory=folder,
        )
        self._observer = Observer(Recorder(folder), HeapFill(None), None, lambda: None, Sites(spec))
        self._observer.install(None)
        if sketches:
            self._observer.follow(Sketcher(folder, SketchWindow()))
        self._own = self._state()
        self._restore(before)
        self._plain = before

    @contextmanager
    def on(self) -> Iterator[None]:
        """Observed inside."""
        self._restore(self._own)
        try:
            yield
        finally:
            self._restore(self._plain)

    @staticmethod
    def _state() -> tuple[Any, ...]:
        hooks = optimizers._global_optimizer_pre_hooks, optimizers._global_optimizer_post_hooks
        init = torch.optim.Optimizer.__init__
        return nn.Module.__call__, torch.autograd.backward, torch.autograd.grad, init, *(dict(one) for one in hooks)

    @staticmethod
    def _restore(state: tuple[Any, ...]) -> None:
        module: Any = nn.Module
        optimizer: Any = torch.optim.Optimizer
        module.__call__, torch.autograd.backward, torch.autograd.grad, optimizer.__init__, pre, post = state
        for hooks, own in (
            (optimizers._global_optimizer_pre_hooks, pre),
            (optimizers._global_optimizer_post_hooks, post),
        ):
            hooks.clear()
            hooks.update(own)


def sha256(tensors: list[torch.Tensor]) -> None:
    """What people write by hand."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().numpy().tobytes())
    digest.digest()


def xxh3(tensors: list[torch.Tensor]) -> None:
    """The bytes once through the hash and nothing else: no fingerprint on this thread can take less."""
    digest = xxhash.xxh3_128()
    for tensor in tensors:
        digest.update(tensor.detach().numpy())
    digest.digest()


@contextmanager
def by_hook(take: Callable[[list[torch.Tensor]], None]) -> Iterator[None]:
    """Parameters, gradients and optimizer state after every step."""

    def after(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        tensors: list[torch.Tensor] = []
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                state = optimizer.state.get(parameter, {}).values()
                held = (parameter, parameter.grad, *(one for one in state if isinstance(one, torch.Tensor)))
                tensors += [tensor for tensor in held if tensor is not None]
        take(tensors)

    handle = optimizers.register_optimizer_step_post_hook(after)
    try:
        yield
    finally:
        handle.remove()


def lines(quick: bool) -> Iterator[Line]:
    """On every workload."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("mlp",) if quick else BLOCK:
            yield from _on(name, Path(folder), quick)


def _on(name: str, folder: Path, quick: bool) -> Iterator[Line]:
    step, count = build(name), 2 if quick else 2 * BLOCK[name]
    observed, sketched = Observed(folder / name), Observed(folder / f"{name} sketched", sketches=True)

    def block() -> None:
        for _ in range(count):
            step()

    def under(context: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            with context():
                block()

        return run

    schemes = {
        "ours": under(observed.on),
        "sketched": under(sketched.on),
        "sha256": under(lambda: by_hook(sha256)),
        "xxh3": under(lambda: by_hook(xxh3)),
        "again": block,
    }
    ratios = against(block, schemes, 1 if quick else 11)
    group = f"observation of a step, {name}"
    yield figure(group, "all kinds", ratios["ours"], target=LIMITS[name])
    yield figure(group, "all kinds, and a sketch of the values (--drift)", ratios["sketched"])
    yield figure(group, "SHA-256 of the state, by a hook", ratios["sha256"])
    yield figure(group, "the state once through XXH3, by a hook (the floor)", ratios["xxh3"])
    yield figure(group, "plain against plain (noise)", ratios["again"])
