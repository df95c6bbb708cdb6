"""Memory that grows from step to step. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median

from reprocheck.commands.doctor.model import Memory
from reprocheck.commands.params.model import WARNING, Remark

FEWEST = 3
"""Steps in a row that must add to it."""
LEAST = 2**16
"""Bytes a step below which the growth of a process is none: a log grows, too."""


def growth(sizes: Sequence[int | None]) -> int | None:
    """Bytes that a step adds, by the median over all but the first two; None for too few steps."""
    known = [size for size in sizes if size is not None][1:]
    added = [after - before for before, after in pairwise(known)]
    return round(median(added)) if len(added) >= FEWEST else None


def leaks(memory: Memory) -> Iterator[Remark]:
    """On a GPU every step holds more than the one before; so does the process where there is none."""
    for device, sizes in memory.allocated.items():
        yield from _leak(f"cuda:{device}", sizes, 1)
    if not memory.allocated:
        yield from _leak("the process", memory.heap, LEAST)


def _leak(where: str, sizes: Sequence[int | None], least: int) -> Iterator[Remark]:
    known = [size for size in sizes if size is not None][1:]
    added = [after - before for before, after in pairwise(known)]
    if len(added) >= FEWEST and all(size >= least for size in added):
        yield Remark(
            slug="growing-memory",
            severity=WARNING,
            message=f"every step holds more memory than the one before: {_mib(round(median(added)))} a step",
            names=(where,),
            help="keep numbers (loss.item()), not tensors with their graph; detach() what is kept over steps",
        )


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 / 10 else f"{size} bytes"
