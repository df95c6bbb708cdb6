"""Named parts of a run: the cells of a notebook, the epochs of a training. They name what is observed, and add nothing.

Outside an audited run a call does nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from reprocheck.protocol.names import PART_RECORD, PART_VALUES_RECORD
from reprocheck.worker.fingerprint.leaves import line_of
from reprocheck.worker.private import text_of
from reprocheck.worker.recorder import Recorder

MOST_PARTS = 20_000
MOST_NAMES = 200
"""Names of a part whose values are looked at."""


def part(name: str) -> None:
    """From here on, the run is in the part of this name: reports say that a difference begins in `epoch 3, validation`.

    Only the main thread moves it on. Nothing is compared that would not be compared without it.
    """
    parts = _active
    if parts is not None and threading.current_thread() is threading.main_thread():
        parts.begin(str(name))


class Parts:
    """Writes where parts begin into the evidence."""

    def __init__(self, recorder: Recorder, steps: Callable[[], int]) -> None:
        self._recorder = recorder
        self._steps = steps
        self._count = 0

    def open(self) -> None:
        """From now on, calls are recorded."""
        global _active
        _active = self

    def begin(self, name: str) -> None:
        """A part begins."""
        self._count += 1
        if self._count <= MOST_PARTS:
            self._recorder.line(PART_RECORD, name=text_of(name, 200), step=self._steps())

    def values(self, names: Iterable[str]) -> None:
        """What these globals of the target hold where the part ends."""
        from reprocheck.worker.observe.variables import variables

        if self._count <= MOST_PARTS:
            chosen = frozenset(sorted(names)[:MOST_NAMES])
            self._recorder.line(PART_VALUES_RECORD, leaves=[line_of(leaf, _nothing) for leaf in variables(chosen)])


def _nothing(data: memoryview) -> None:
    return None


_active: Parts | None = None
"""Of this process, when it is an audited run."""
