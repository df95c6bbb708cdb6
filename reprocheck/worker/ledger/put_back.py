"""States of a generator that are taken down and put back: what is seeded and drawn in between leaves no trace in it.

A data set that draws item 7 from seed 7 and puts the state back (FakeData of torchvision) seeds nothing for its caller.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from xxhash import xxh3_128

from reprocheck.worker.ledger.entries import Entry

MOST_STATES = 100_000
MOST_USES = 10_000
_MOST_PARTS = 100
"""Longer tuples are integers of a state."""


class PutBack:
    """Of one generator."""

    def __init__(self, take_back: Callable[[Entry], None]) -> None:
        self._take_back = take_back
        self._had: dict[bytes, int] = {}
        """States that somebody took down, with the number of uses before."""
        self._uses: list[Entry] = []
        """From the first seed after that on."""
        os.register_at_fork(after_in_child=self._uses.clear)

    def got(self, state: Any) -> None:
        """Somebody takes down a state."""
        if len(self._had) < MOST_STATES:
            self._had[digest_of(state)] = len(self._uses)

    def used(self, entry: Entry) -> None:
        """The generator is seeded or drawn from."""
        if self._had and len(self._uses) < MOST_USES and (self._uses or entry.kind == "seed"):
            self._uses.append(entry)

    def is_put_back(self, state: Any) -> bool:
        """Whether the generator had this state before; then what came after it is undone."""
        place = self._had.get(digest_of(state))
        if place is None:
            return False
        for entry in self._uses[place:]:
            self._take_back(entry)
        del self._uses[place:]
        return True


def digest_of(state: Any) -> bytes:
    """Of a state as python, numpy and torch give it."""
    found = xxh3_128()
    todo = [state]
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            todo += part.items()
        elif isinstance(part, tuple) and len(part) < _MOST_PARTS:
            todo += part
        else:
            array = part.cpu().numpy() if hasattr(part, "cpu") else part
            found.update(array.tobytes() if hasattr(array, "tobytes") else repr(array).encode())
    return found.digest()
