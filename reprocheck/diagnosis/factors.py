"""Which sets of factors make a difference: the smallest ones, each enough by itself. Pure but for the question asked.

A question (does a run with these factors from the other run differ?) takes a run, so none is asked twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Differs = Callable[[tuple[str, ...]], bool]


class Spent(Exception):
    """There are no runs left to ask with."""


class SmallestSets:
    """The search. `found` and `complete` hold as far as it came, even where the budget ends it."""

    def __init__(
        self, factors: Sequence[str], differs: Differs, is_whole: Callable[[], bool], suspects: int = 1
    ) -> None:
        """`factors`, the likeliest first: all together are known to make the difference. `is_whole`: the last run that
        differed had become the other run, so that no other factor matters. `suspects`: so many of the first are asked
        about alone."""
        self._factors = tuple(factors)
        self._suspects = self._factors[: max(1, suspects)]
        self._ask = differs
        self._is_whole = is_whole
        self._known: dict[frozenset[str], bool] = {frozenset(factors): True}
        self.found: list[tuple[str, ...]] = []
        self.complete = False

    def search(self) -> None:
        """Find the sets one after the other: the next one lies in what is left."""
        rest = self._factors
        try:
            while rest and self._differs(rest):
                smallest = self._smallest(rest)
                whole = frozenset(smallest) not in {frozenset(self._factors)} and self._is_whole()
                self.found.append(smallest)
                if whole and len(self.found) == 1:
                    break
                rest = tuple(factor for factor in rest if factor not in smallest)
            self.complete = bool(self.found)
        except Spent:
            return

    def _differs(self, factors: tuple[str, ...]) -> bool:
        key = frozenset(factors)
        if key not in self._known:
            self._known[key] = self._ask(factors)
        return self._known[key]

    def _smallest(self, candidates: tuple[str, ...]) -> tuple[str, ...]:
        """A smallest set among candidates that together differ: the likeliest alone, else by halves."""
        if len(candidates) == 1:
            return candidates
        suspects = tuple(factor for factor in candidates if factor in self._suspects) or candidates[:1]
        for factor in suspects:
            if self._differs((factor,)):
                return (factor,)
        return self._halve(candidates, ())

    def _halve(self, candidates: tuple[str, ...], with_these: tuple[str, ...]) -> tuple[str, ...]:
        """Delta debugging: candidates and `with_these` differ together, `with_these` alone do not."""
        if len(candidates) == 1:
            return candidates
        middle = (len(candidates) + 1) // 2
        first, second = candidates[:middle], candidates[middle:]
        for half in (first, second):
            if self._differs((*half, *with_these)):
                return self._halve(half, with_these)
        return (*self._halve(first, (*second, *with_these)), *self._halve(second, (*first, *with_these)))
