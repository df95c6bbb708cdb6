"""The trace of a run, as its writer and its readers agree on it. Without torch.

`trace.bin` holds records of 24 bytes. Those of one operation follow each other (other threads' may come between), the
first with `START` set. `trace.jsonl` holds the tables they point into, each line before the first record that needs
it. `trace-values.bin` is a ring of bytes, each entry at a multiple of `UNIT`.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

from xxhash import xxh3_64_intdigest

TRACE_VERSION = 1

RECORD = Struct("<IIQHHI")
RECORD_FIELDS = [
    ("event", "<u4"),
    ("storage", "<u4"),
    ("digest", "<u8"),
    ("form", "<u2"),
    ("role", "<u2"),
    ("value", "<u4"),
]
"""Event: line of the table. Storage: a number for the memory behind the tensor, within this run; 0 is unknown. Form:
dtype and shape, a line of the table; 0 is unknown. Value: where its bytes are, in `UNIT`s + 1 from the first entry of
the ring on; 0 is nowhere."""

INPUT, SCALARS, GENERATOR, OUTPUT, WRITTEN, BLANK, STEP = range(7)
"""Roles. SCALARS: all arguments that are no tensors; of a view, with the memory that it looks into. WRITTEN: an
argument after the operation wrote it. BLANK: an output that is memory as it was found; no digest. STEP: a step ended,
the digest is its number."""
ROLE_SHIFT = 13
START = 1 << 12
INDEX_MASK = START - 1
ITEM_BITS = 7
LAST_ITEM = (1 << ITEM_BITS) - 1
LAST_ARGUMENT = (1 << (12 - ITEM_BITS)) - 1
"""The index of a record is that of an output, or of an argument and of an item in it, each cut off at its greatest."""
MOST_FORMS = (1 << 16) - 1

UNIT = 16
RING_BYTES = 512 * 2**20
LARGEST_VALUE = 64 * 2**20
TEXT_HEADER = Struct("<QI")
"""Before a text in the ring: digest of the arguments that it records, and its length."""

ENGINE = "a"
"""In the name of a stream: a thread of autograd's engine, at work for the thread whose name comes before it."""

MODULE_CALL, COMPILED_CALL, STEP_END = "module", "compiled", "step"
"""Events that are no operations: the call of a model, of a compiled region, the end of a step."""


def owner_of(stream: str) -> str:
    """The thread that a stream belongs to: what the engine does for a thread that waits is a part of that thread."""
    owner, _, last = stream.rpartition(".")
    return owner if last.startswith(ENGINE) else stream


def argument_index(argument: int, item: int) -> int:
    """The index of a tensor among the arguments of a call."""
    return min(argument, LAST_ARGUMENT) << ITEM_BITS | min(item, LAST_ITEM)


@lru_cache(maxsize=8192)
def seed_of(dtype: str, shape: tuple[int, ...]) -> int:
    """Equal bytes of another dtype or shape have another digest."""
    return xxh3_64_intdigest(f"{dtype} {shape}".encode())


def digest_of(data: bytes | memoryview, dtype: str, shape: tuple[int, ...]) -> int:
    """The digest of a tensor whose bytes lie in memory in this shape."""
    return xxh3_64_intdigest(data, seed_of(dtype, shape))
