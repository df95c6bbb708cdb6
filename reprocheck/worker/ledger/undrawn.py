"""Whether a numpy generator that was made without a seed was ever drawn from.

Libraries make generators early and seed them later, by putting another one in their place. One that still has its first
state at the end, as all its copies, gave nothing to anybody: its use is taken back. What cannot be judged stays.
"""

from __future__ import annotations

import gc
import os
from typing import Any

import numpy as np

from reprocheck.worker.ledger.entries import Entry
from reprocheck.worker.ledger.ledger import Ledger

MOST = 1000
"""Generators that are followed."""


class Undrawn:
    """The generators of this process that have a seed from the system."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._made: dict[int, tuple[Entry, Any]] = {}
        """By identity of its entropy, which its copies share: they are found by it."""
        self._held: list[Any] = []
        """Those that a library may drop before the end."""
        ledger.at_close.append(self._judge)
        os.register_at_fork(before=self._forget)  # a child draws from its own copy, and nobody sees it

    def made(self, entry: Entry, entropy: Any) -> None:
        """A generator gets this seed from the system."""
        if len(self._made) < MOST:
            self._made[id(entropy)] = entry, entropy

    def hold(self, generator: Any, entry: Entry | None = None) -> None:
        """Keep the state of a generator until it is judged; with an entry, follow it."""
        source = generator.bit_generator
        if entry is not None:
            self.made(entry, _sequence(source).entropy)
        if len(self._held) < MOST:
            self._held.append(source)

    def seeded(self, generator: Any) -> Entry | None:
        """The entry of a bit generator that gets a seed only now, and gave nothing to anybody so far."""
        sequence = _sequence(generator)
        found = None if sequence is None else self._made.get(id(sequence.entropy))
        if found is None or not _is_untouched(generator):
            return None
        del self._made[id(sequence.entropy)]
        return found[0]

    def _forget(self) -> None:
        self._made.clear()
        self._held.clear()

    def _judge(self) -> None:
        if not self._made:
            return
        kind: Any = np.random.bit_generator.SeedSequence
        sources: Any = np.random.bit_generator.BitGenerator
        entropies = [entropy for _, entropy in self._made.values()]
        sequences = [one for one in gc.get_referrers(*entropies) if isinstance(one, kind)]
        generators: dict[int, list[Any]] = {}
        for one in gc.get_referrers(*sequences) if sequences else ():
            if isinstance(one, sources):
                generators.setdefault(id(_sequence(one).entropy), []).append(one)
        for key, (entry, _) in self._made.items():
            found = generators.get(key)
            if found and all(_is_untouched(one) for one in found):
                self._ledger.take_back(entry)
        self._forget()


def _sequence(source: Any) -> Any:
    return source.seed_seq if hasattr(source, "seed_seq") else source._seed_seq


def _is_untouched(source: Any) -> bool:
    return _equal(source.state, type(source)(_sequence(source)).state)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    return bool(np.array_equal(a, b))
