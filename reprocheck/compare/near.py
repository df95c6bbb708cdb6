"""Tensors that differ in bits, measured with the tolerance that was asked for. Reads values that runs left."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from reprocheck.compare.values_near import count_beyond
from reprocheck.model import TensorRecord
from reprocheck.model.tolerance import Tolerance
from reprocheck.protocol.reading import read_some

MOST_BYTES = 64 * 2**20
"""Of one tensor: a run keeps no more of all."""

Pair = tuple[TensorRecord | None, TensorRecord | None]
"""Records of one name in two runs; None where a run has none."""


def beyond_tolerance(
    pairs: Sequence[Pair], tolerance: Tolerance, values_a: Path, values_b: Path
) -> tuple[list[Pair], list[str]]:
    """What still differs, and the names of what does not. Without kept values bits decide."""
    if tolerance.is_exact and not tolerance.metrics:
        return list(pairs), []
    near = [pair for pair in pairs if _is_near(pair, tolerance, values_a, values_b)]
    names = [record.name or "returned value" for record, _ in near if record is not None]
    return [pair for pair in pairs if pair not in near], names


def kept_bytes(record: TensorRecord, path: Path) -> bytes:
    """The values of a tensor, as its run kept them."""
    return read_some(path, min(record.size, MOST_BYTES), record.offset or 0)


def _is_near(pair: Pair, tolerance: Tolerance, values_a: Path, values_b: Path) -> bool:
    left, right = pair
    if left is None or right is None or (left.dtype, left.shape) != (right.dtype, right.shape):
        return False
    margin = tolerance.margin_of(left.name or "returned value") if left.is_metric and right.is_metric else None
    with suppress(OSError, ValueError, OverflowError):
        if margin is not None:
            return margin.allows(float(right.text), float(left.text))
        if left.offset is not None and right.offset is not None and not tolerance.is_exact:
            one, other = kept_bytes(left, values_a), kept_bytes(right, values_b)
            return count_beyond(memoryview(one), memoryview(other), left.dtype, left.shape, tolerance) == 0
    return False
