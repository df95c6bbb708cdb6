"""Evidence on disk: bytes a step, and how fast the records of two runs of a million steps are compared."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np

from benchmarks.figures import Line, figure
from reprocheck.compare.steps import compare_steps
from reprocheck.protocol import DIGEST_SIZE, KIND_COUNT, RECORD_SIZE, STEP_HEADER

GROUP = "evidence"


def lines(quick: bool) -> Iterator[Line]:
    """Records as a run writes them, the second run parting from the first at the middle."""
    count = 10_000 if quick else 1_000_000
    rounds = 1 if quick else 5
    with tempfile.TemporaryDirectory() as folder:
        one, same, other = (Path(folder) / name for name in ("one", "same", "other"))
        records = synthetic(count)
        one.write_bytes(records.tobytes())
        same.write_bytes(records.tobytes())
        records[count // 2 :, -DIGEST_SIZE:] ^= 1
        records[count // 2 :, -3 * DIGEST_SIZE] ^= 1
        other.write_bytes(records.tobytes())
        yield figure(GROUP, "bytes of a step and kind", [RECORD_SIZE / KIND_COUNT], unit="bytes", target=100)
        rates = [count / seconds(one, same) / 1e6 for _ in range(rounds)]
        yield figure(GROUP, "steps compared a second, runs that agree", rates, unit="million", target=1, at_least=True)
        rates = [count / seconds(one, other) / 1e6 for _ in range(rounds)]
        yield figure(GROUP, "the same, runs that part in the middle", rates, unit="million", target=1, at_least=True)


def synthetic(count: int) -> np.ndarray:
    """Bytes of so many records: numbers in order, digests at random."""
    generator = np.random.default_rng(0)
    records = generator.integers(0, 256, (count, RECORD_SIZE), np.uint8)
    header = np.zeros((count, STEP_HEADER.size // 4), "<u4")
    header[:, 0] = np.arange(count)
    records[:, : STEP_HEADER.size] = header.view(np.uint8).reshape(count, -1)
    return records


def seconds(a: Path, b: Path) -> float:
    """From opening both files to the answer."""
    start = time.perf_counter()
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("rb")) for path in (a, b)]
        maps = [stack.enter_context(mmap(file.fileno(), 0, access=ACCESS_READ)) for file in files]
        one, other = (stack.enter_context(memoryview(data)) for data in maps)
        compare_steps(one, other, ("optimizer",), ("optimizer",))
    return time.perf_counter() - start
