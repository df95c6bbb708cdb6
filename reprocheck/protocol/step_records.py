"""The records of `steps.bin`: a header, a digest for each kind of observation, and a chain over them."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

STEP_KINDS = (
    "batch",
    "forward",
    "loss",
    "gradients",
    "hyperparameters",
    "parameters",
    "buffers",
    "optimizer state",
    "rng python",
    "rng numpy",
    "rng torch",
    "rng cuda",
)
"""Kinds of a step record, in run order within a step."""
DECIDING_KINDS = frozenset({"batch", "forward", "loss", "gradients", "parameters", "buffers", "optimizer state"})
"""Kinds whose difference is a difference of the training. Generators and hyperparameters only explain one."""
DIGEST_SIZE = 16
KIND_COUNT = len(STEP_KINDS)
STEP_HEADER = Struct("<IIHH")
"""Number (0-based, in run order), optimizer (index into the evidence's optimizers), flags, zero."""
RECORD_SIZE = STEP_HEADER.size + DIGEST_SIZE * (KIND_COUNT + 1)
"""Header, one digest a kind, and the chain: a digest of the deciding kinds of this and all earlier records."""
TIME_RECORD = Struct("<dd")
"""Of one step: when it ended, and how long observation has taken by then; seconds."""
FLAG_TAIL = 1
"""What was observed after the last optimizer step; not a step itself."""
FLAG_BACKWARD = 2
"""The step is a backward pass: no optimizer exists."""
FLAG_THREAD = 4
"""The step was taken outside the main thread: its place in the order means nothing."""
FLAG_DEVICE = 8
"""Tensors were read on a CUDA device, where digests are made in another way than on the host."""
EMPTY_DIGEST = bytes(DIGEST_SIZE)
"""A kind that was not observed in a step."""


def digest_at(record: bytes | memoryview, kind: int) -> bytes:
    """The digest of the `kind`-th kind (KIND_COUNT: the chain) of one step record."""
    start = STEP_HEADER.size + DIGEST_SIZE * kind
    return bytes(record[start : start + DIGEST_SIZE])


def records(data: bytes | memoryview) -> Iterator[memoryview]:
    """The step records, one after the other."""
    view = memoryview(data)
    for start in range(0, len(view) - RECORD_SIZE + 1, RECORD_SIZE):
        yield view[start : start + RECORD_SIZE]


def count_steps(data: bytes | memoryview) -> int:
    """How many records are steps (only the last one can be a tail)."""
    count = len(data) // RECORD_SIZE
    if not count:
        return 0
    _, _, flags, _ = STEP_HEADER.unpack_from(data, (count - 1) * RECORD_SIZE)
    return count - 1 if flags & FLAG_TAIL else count


def count_optimizers(data: bytes | memoryview) -> int:
    """How many optimizers took the steps of these records."""
    found = 0
    for start in range(0, len(data) - RECORD_SIZE + 1, RECORD_SIZE):
        _, optimizer, flags, _ = STEP_HEADER.unpack_from(data, start)
        if not flags & (FLAG_TAIL | FLAG_BACKWARD):
            found = max(found, optimizer + 1)
    return found
