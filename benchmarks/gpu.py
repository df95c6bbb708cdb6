"""On a CUDA device: the fingerprint against a copy of the same memory, and what a step of a transformer costs more."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from benchmarks.figures import Figure, Line, Skipped, figure
from benchmarks.steps import Observed
from benchmarks.workloads import Attention, Step
from reprocheck.worker.fingerprint import device_digest
from reprocheck.worker.fingerprint.digest import DigestBuilder, tensor_digest
from reprocheck.worker.fingerprint.unobserved import Unobserved

GROUP = "fingerprint on the GPU"
STEPS = 6


def lines(quick: bool) -> Iterator[Line]:
    """Bandwidth, then the observed step."""
    if not torch.cuda.is_available():
        yield Skipped(GROUP, "all of it", "no CUDA device here")
        return
    yield from _bandwidth(quick)
    for kind in (torch.float32, torch.bfloat16):
        yield from _steps(kind, quick)


def _bandwidth(quick: bool) -> Iterator[Figure]:
    size = 2**26 if quick else 2**32
    tensor = torch.empty(size // 4, device="cuda").normal_()
    other = torch.empty_like(tensor)
    many = [torch.randn(2**18, device="cuda") for _ in range(10 if quick else 1000)]

    def digest(tensors: list[torch.Tensor]) -> None:
        builder = DigestBuilder()
        with Unobserved():
            for one in tensors:
                builder.tensor(one)
        with Unobserved():
            device_digest.send()

    copies, ones, manies, reads = [], [], [], []
    for round_ in range(-2, 2 if quick else 15):
        copy = 2 * size / milliseconds(lambda: other.copy_(tensor))
        one = size / milliseconds(lambda: digest([tensor]))
        read = size / milliseconds(lambda: tensor.view(torch.int64).sum())
        several = sum(t.nbytes for t in many) / milliseconds(lambda: digest(many))
        if round_ >= 0:
            copies.append(copy)
            ones.append(one / copy)
            reads.append(read / copy)
            manies.append(several / copy)
    note = f"a copy moves {sorted(copies)[len(copies) // 2] / 1e9:.2f} TB/s, read and written"
    yield figure(GROUP, "bandwidth, one tensor of 4 GiB / copy", ones, target=0.8, at_least=True, note=note)
    yield figure(GROUP, "bandwidth, 1,000 tensors of 1 MiB / copy", manies)
    yield figure(GROUP, "bandwidth, a sum of the same / copy", reads)
    if not quick:
        wall = [seconds(lambda: tensor_digest(tensor)) for _ in range(3)]
        there = [seconds(lambda: digest([tensor])) for _ in range(3)]
        ratio = [a / b for a, b in zip(wall, there, strict=True)]
        yield figure(GROUP, "of 4 GiB by a copy to the host / on the device", ratio)


def _steps(kind: torch.dtype, quick: bool) -> Iterator[Figure]:
    step, parameters = transformer(kind, quick)
    with tempfile.TemporaryDirectory() as folder:
        observed = Observed(Path(folder) / "run")
        count = 1 if quick else STEPS

        def block() -> None:
            for _ in range(count):
                step()

        ratios, again, plains = [], [], []
        for round_ in range(-2, 1 if quick else 11):
            before = seconds(block)
            with observed.on():
                own = seconds(block)
            after = seconds(block)
            if round_ >= 0:
                ratios.append(own / ((before + after) / 2))
                again.append(after / before)
                plains.append(before / count)
    group = f"observation of a step on the GPU, {str(kind).removeprefix('torch.')}"
    note = (
        f"a transformer of {parameters / 1e6:.0f} M parameters, {1e3 * sorted(plains)[len(plains) // 2]:.1f} ms a step"
    )
    yield figure(group, "all kinds", ratios, target=1.02, note=note)
    yield figure(group, "plain against plain (noise)", again)


def transformer(kind: torch.dtype, quick: bool) -> tuple[Step, int]:
    """A step of a language model of the size of GPT-2, and how many parameters it has."""
    torch.manual_seed(0)
    width, layers, length = (64, 2, 32) if quick else (768, 12, 1024)
    blocks = (Attention(width, width // 64) for _ in range(layers))
    head = nn.Linear(width, 50_257, bias=False)
    model = nn.Sequential(nn.Embedding(50_257, width), *blocks, nn.LayerNorm(width), head).cuda()
    model[0].weight = head.weight  # tied
    x, y = (torch.randint(50_257, (1 if quick else 8, length), device="cuda") for _ in range(2))
    optimizer = torch.optim.AdamW(model.parameters(), 3e-4)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cuda", kind, enabled=kind is not torch.float32):
            loss = functional.cross_entropy(model(x).flatten(0, 1), y.flatten())
        loss.backward()
        optimizer.step()

    return step, sum(parameter.numel() for parameter in model.parameters())


def milliseconds(work: Callable[[], object]) -> float:
    """Of one call, by the device's own clock."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    work()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end))


def seconds(work: Callable[[], object]) -> float:
    """Of one call, until the device is done."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start
