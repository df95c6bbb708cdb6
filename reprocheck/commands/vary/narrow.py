"""The smallest sets of changes that alone make a difference, in few questions. Pure: whoever asks makes the runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
Differs = Callable[[Sequence[T]], bool]


def smallest_sets(items: Sequence[T], differs: Differs[T]) -> list[list[T]]:
    """Sets, none of which can be made smaller by a half; `items` all together are known to make a difference.

    One responsible item of n takes about log2(n) questions, and one more for all the others.
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
    """Of `items`, which make a difference together with `always`: as few as it takes.

    Where one half makes no difference the other one is believed to, and only what is left in the end is asked.
    """
    left, is_shown = list(items), True
    while len(left) > 1:
        first, second = _halves(left)
        is_shown = differs([*always, *first])
        left = first if is_shown else second
    return left if is_shown or differs([*always, *left]) else _some_of_each(items, differs, always)


def _some_of_each(items: Sequence[T], differs: Differs[T], always: Sequence[T]) -> list[T]:
    """The same where no one of them suffices."""
    if len(items) == 1:
        return list(items)
    first, second = _halves(items)
    for half in (first, second):
        if differs([*always, *half]):
            return _some_of_each(half, differs, always)
    some = _some_of_each(first, differs, [*always, *second])
    return [*some, *_some_of_each(second, differs, [*always, *some])]


def _halves(items: Sequence[T]) -> tuple[list[T], list[T]]:
    middle = (len(items) + 1) // 2
    return list(items[:middle]), list(items[middle:])
