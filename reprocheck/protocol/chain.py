"""The chain of step digests, computed again: a record that was changed, left out or moved no longer fits.

A record's chain is the digest of that of the record before it, of its optimizer and of its deciding kinds.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from reprocheck.protocol import DECIDING_KINDS, DIGEST_SIZE, EMPTY_DIGEST, RECORD_SIZE, STEP_HEADER, STEP_KINDS

_OPTIMIZER = slice(4, 8)
_AT_CHAIN = RECORD_SIZE - DIGEST_SIZE


def _runs_of_deciding_kinds() -> tuple[slice, ...]:
    """Where they stand in a record, neighbours as one."""
    edges = [False, *(kind in DECIDING_KINDS for kind in STEP_KINDS), False]
    marks = [place for place, (before, after) in enumerate(pairwise(edges)) if before != after]
    at = [STEP_HEADER.size + DIGEST_SIZE * mark for mark in marks]
    return tuple(slice(start, stop) for start, stop in zip(at[::2], at[1::2], strict=True))


_DECIDING = _runs_of_deciding_kinds()


def check_chain() -> Callable[[bytes], None]:
    """A check of step records that come in blocks of any size. It raises ValueError at the first that does not fit."""
    from xxhash import xxh3_128_digest

    chain, rest, count = EMPTY_DIGEST, b"", 0

    def check(block: bytes) -> None:
        nonlocal chain, rest, count
        data = rest + block if rest else block
        stop = len(data) // RECORD_SIZE * RECORD_SIZE
        for start in range(0, stop, RECORD_SIZE):
            record = data[start : start + RECORD_SIZE]
            deciding = b"".join([record[part] for part in _DECIDING])
            made = xxh3_128_digest(chain + record[_OPTIMIZER] + deciding)
            chain = record[_AT_CHAIN:]
            if made != chain:
                raise ValueError(f"step record {count} does not fit the one before it")
            count += 1
        rest = data[stop:]

    return check
