"""Constant answers in the place of clocks, entropy and process numbers.

Items are kinds (`clock`, `entropy`, `pid`, `unseeded`), for every line of the user's code, or one line of one kind:
`clock@/abs/path.py:12`.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reprocheck.worker.ledger.entries import Entry

EPOCH = 1_704_067_200
"""Seconds: 2024-01-01 00:00 UTC."""
MONOTONIC_START = 1_000
"""Seconds."""
TICK = 10_000_000
"""Nanoseconds that the frozen clock goes on with each reading: a training that ends by the clock still ends."""
PID = 2**22 + 4321
"""Above every process number of Linux, so that it is nobody's."""
HOST = "localhost"
SEED = 20_240_101
"""What an unseeded generator is seeded with."""


class Frozen:
    """Which calls get constant answers."""

    def __init__(self, items: tuple[str, ...]) -> None:
        kinds = [item.partition("@") for item in items]
        self._whole = {kind for kind, at, _ in kinds if not at}
        self._lines = {(kind, _real(place)) for kind, at, place in kinds if at}
        self._ticks = count(1)
        self._slept = 0

    def holds(self, kind: str, path: str, line: int) -> bool:
        """Whether calls of this kind from that line get constant answers."""
        if kind in self._whole:
            return bool(path)
        return bool(self._lines) and (kind, _real(f"{path}:{line}")) in self._lines

    def is_whole(self, kind: str) -> bool:
        """Whether every line of the user's code gets constant answers of this kind."""
        return kind in self._whole

    def nanoseconds(self, start: int) -> int:
        """A reading of the frozen clock that began at `start` seconds."""
        return start * 10**9 + next(self._ticks) * TICK + self._slept

    def restart(self) -> None:
        """The clock begins anew."""
        self._ticks = count(1)
        self._slept = 0

    def sleep(self, seconds: float) -> None:
        """The user's code waited: its clock must see it."""
        self._slept += int(seconds * 10**9)


def constant_bytes(entry: Entry, size: int) -> bytes:
    """As random as entropy, and the same in every run: a hash of the number of the call from its line."""
    blocks = []
    for block in range(size // 64 + 1):
        blocks.append(blake2b(f"{entry.name} {entry.count - entry.before} {block}".encode()).digest())
    return b"".join(blocks)[:size]


def constant_seed(entry: Entry, *_: Any) -> int:
    """Of an unseeded generator: the next one made by the same line gets another."""
    return SEED + entry.count - entry.before


def _real(place: str) -> str:
    path, _, line = place.rpartition(":")
    return f"{os.path.realpath(path)}:{line}"
