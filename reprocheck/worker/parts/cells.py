"""How far a notebook is."""

from __future__ import annotations

import contextlib

from reprocheck.worker.parts.notebook import Listener
from reprocheck.worker.parts.parts import Parts
from reprocheck.worker.recorder import Recorder


class Cells(Listener):
    """Writes down how far a notebook is."""

    def __init__(self, parts: Parts, recorder: Recorder) -> None:
        self._parts = parts
        self._recorder = recorder

    def begin(self, name: str) -> None:
        """A cell begins."""
        self._parts.begin(name)

    def values(self, names: frozenset[str]) -> None:
        """A cell has ended. What it left may be anything, and must not end the run."""
        with contextlib.suppress(Exception):
            self._parts.values(names)

    def note(self, text: str) -> None:
        """Something of the notebook is not run."""
        self._recorder.line("note", text=text)
