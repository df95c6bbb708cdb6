"""A rank: the interpreter runs its target, and it is observed from some point on to its end."""

from __future__ import annotations

import atexit
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from reprocheck.model import RunSpec
from reprocheck.protocol.rank_folders import RANK_RECORD, all_stopped
from reprocheck.worker.bootstrap.leaving import watch_exit
from reprocheck.worker.bootstrap.target_error import describe
from reprocheck.worker.run import Run

OTHERS_GRACE = 5.0
"""Seconds that a rank which was stopped waits for the others."""
LOOK_SECONDS = 0.02


def begin_rank(spec: RunSpec, run: Path, identity: Mapping[str, Any], *, is_early: bool) -> None:
    """From now on this process of a run, whose folder is `run`, is observed into `spec.directory`.

    `is_early`: nothing of the target has run here: it is seeded and arranged as the process of a run is.
    """
    RankRun(spec, run).begin(identity, is_early=is_early)


class RankRun(Run):
    """A rank: the interpreter runs its target, and it is observed from some point on to its end."""

    is_rank = True
    _error = ""

    def begin(self, identity: Mapping[str, Any], *, is_early: bool) -> None:
        """Observe from now on."""
        self._start()
        self.recorder.line(RANK_RECORD, **identity)
        if is_early:
            self._arrange()
            self._observe()
            self._seed_and_watch()
        else:
            self.inputs = None
            self._observe()
            self._follow_on()
            self._record_generators()
        previous = sys.excepthook

        def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
            self._error = self._error or describe(error)
            previous(kind, error, trace)

        sys.excepthook = hook
        watch_exit(lambda: self.recorder.is_open, self._ended)
        atexit.register(self._over)

    def _follow_on(self) -> None:
        """What an explaining run records is recorded in this process already, where multiprocessing started it."""
        if self.spec.is_plain:
            return
        from reprocheck.worker.ledger.install import installed

        if installed.ledger is None:
            self._instrument()
            self.files.watch(self.ledger)
        else:
            self.ledger = installed.ledger
            self.ledger.become_own(self.spec.directory, self._steps)

    def _over(self) -> None:
        if self.recorder.is_open and "torch" not in sys.modules:  # a program beside the training
            self.recorder.abandon("")
            shutil.rmtree(self.spec.directory, ignore_errors=True)
            return
        self._finish("failed" if self._error else "finished", error=self._error)

    def _leave(self) -> None:
        """After its last step, and not before the others: they may still wait for what this one sends."""
        self._finish("stopped")
        until = time.monotonic() + OTHERS_GRACE
        while time.monotonic() < until and not all_stopped(self._folder):
            time.sleep(LOOK_SECONDS)
        super()._leave()
