"""The smallest sets of changes that alone make a difference, in few questions. Pure: whoever asks makes the runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
Differs = Callable[[Sequence[T]], bool]


def guilty(items: Sequence[T], differs: Differs[T]) -> list[list[T]]:
    """Sets, none of which can be made smaller by a half; `items` all together are known to make a difference.

    One guilty of n takes about log2(n) questions, and one more for all the others.
    """
    found: list[list[T]] = []
    left = list(items)
    while left:
        one = _smallest(left, differs, ())
        found.append(one)
        left = [item for item in left if item not in one]
        if not left or not differs(left):
            break
    return found


def _smallest(items: Sequence[T], differs: Differs[T], always: Sequence[T]) -> list[T]:
    """Of `items`, which make a difference beside `always`: as few as it takes."""
    if len(items) == 1:
        return list(items)
    first, second = items[: len(items) // 2], items[len(items) // 2 :]
    if differs([*always, *first]):
        return _smallest(first, differs, always)
    if differs([*always, *second]):
        return _smallest(second, differs, always)
    # Neither half alone: it takes some of each.
    some = _smallest(first, differs, [*always, *second])
    return [*some, *_smallest(second, differs, [*always, *some])]
