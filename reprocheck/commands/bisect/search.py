"""Where along a chain of commits the results change: a binary search over states that can be compared. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """Two places of a chain between which the results change, and nothing between them can be compared."""

    before: int
    after: int


def search(
    last: int, can_tell: Callable[[int], bool], differ: Callable[[int, int], bool], every: bool
) -> tuple[list[Step], bool]:
    """The steps at which the results change on a chain from 0 to `last`, whose ends can be compared, in their order.

    `can_tell`: whether a place can be compared; asked for as few as possible, about log2(last) for one step. `differ`:
    whether two of them differ. Without `every` the search ends with one step; the second value says that more are
    certain to lie in what was not searched. A change that is made and taken back between two equal places is not found.
    """
    found: list[Step] = []
    more = False
    open_ranges = [(0, last)] if differ(0, last) else []
    while open_ranges:
        low, high = open_ranges.pop()
        middle = next((place for place in _from_the_middle(low, high) if can_tell(place)), None)
        if middle is None:
            found.append(Step(low, high))
            continue
        halves = [half for half in ((low, middle), (middle, high)) if differ(*half)]
        if not halves:  # within a tolerance: each half lies in it, the whole does not
            found.append(Step(low, high))
            continue
        more = more or len(halves) > 1
        open_ranges += halves[:1] if not every else reversed(halves)
    return sorted(found, key=lambda step: step.before), more and not every


def _from_the_middle(low: int, high: int) -> list[int]:
    """The places strictly between, the nearest to the middle first."""
    return sorted(range(low + 1, high), key=lambda place: (abs(2 * place - low - high), place))
