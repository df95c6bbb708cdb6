"""When each step ended, for prices of settings. Not for verdicts: no two runs share a clock."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from reprocheck.protocol import TIME_RECORD, TIMES_FILE
from reprocheck.worker.inputs.own_file import OwnFile
from reprocheck.worker.observe.listening import Listener

_BLOCK = 1 << 12


class Times(Listener):
    """A file of TIME_RECORDs. Its end may be lost with a run that is killed; a forked child writes nothing."""

    in_all_threads = True

    def __init__(self, folder: Path) -> None:
        self._file = OwnFile(folder / TIMES_FILE)
        self._pending = bytearray()
        self._pid = os.getpid()

    def step_taken(self, count: int, own_seconds: float) -> None:
        """A step has ended."""
        if os.getpid() == self._pid:
            self._pending += TIME_RECORD.pack(time.perf_counter(), own_seconds)
            if len(self._pending) >= _BLOCK:
                self.ends()

    def ends(self) -> None:
        """Put on disk what is pending."""
        if os.getpid() == self._pid:
            with suppress(OSError):  # a full disk costs the price, not the run
                self._file.write(self._pending)
            self._pending.clear()
