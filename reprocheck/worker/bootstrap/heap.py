"""The heap poison of a run, and when it rests.

glibc fills every allocation with the poison, which costs some 10 % of a training that allocates large tensors. So it
is always on until a training is under way, whenever no gradient is taken (evaluation), in every forked child, and
then in one optimizer step of eight.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable

M_PERTURB = -6
FULL_STEPS = 10
EVERY = 8


class HeapFill:
    """Switches the allocator's poison; does nothing where there is none to switch."""

    def __init__(self, byte: int | None) -> None:
        self._byte = byte or 0
        self._on = True
        self._mallopt = _find_mallopt() if byte else None
        if self._mallopt is not None:
            os.register_at_fork(after_in_child=self.wake)

    def wake(self) -> None:
        """Poison from now on."""
        self._switch(True)

    def after_step(self, steps: int) -> None:
        """Decide for the step that comes after `steps` finished ones."""
        self._switch(steps < FULL_STEPS or steps % EVERY == 0)

    def _switch(self, on: bool) -> None:
        if self._mallopt is not None and on is not self._on:
            self._on = on
            self._mallopt(M_PERTURB, self._byte if on else 0)


def _find_mallopt() -> Callable[[int, int], int] | None:
    try:
        return ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return None
