"""The runs of one command: its folders, its plan, its progress, and the one way to launch runs and load them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from reprocheck.engine.launch import Watch, launch
from reprocheck.engine.plan import Planner
from reprocheck.engine.progress import Progress
from reprocheck.engine.store import AUDITS
from reprocheck.engine.templates import Templates
from reprocheck.engine.workspace import workspace
from reprocheck.errors import UsageError
from reprocheck.evidence.run import Ran, read_run
from reprocheck.model import Outcome, Request, RunSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Open while a command makes runs."""

    request: Request
    planner: Planner
    progress: Progress
    began: float = field(default_factory=time.monotonic)

    @property
    def folder(self) -> Path:
        """Evidence; it stays."""
        return self.planner.directory

    @property
    def seconds(self) -> float:
        """Since the session was opened."""
        return time.monotonic() - self.began

    def launch(
        self,
        specs: Sequence[RunSpec],
        jobs: int = 1,
        watch: Watch | None = None,
        templates: Templates | None = None,
    ) -> list[Outcome]:
        """Make runs; what became of each. Raises UsageError where the target cannot be run at all, or Interrupted."""
        outcomes = launch(specs, jobs, self.progress, watch, templates)
        for outcome in outcomes:
            if outcome.usage:
                shutil.rmtree(self.folder, ignore_errors=True)
                raise UsageError(outcome.reason)
        return outcomes

    def run(self, specs: Sequence[RunSpec], jobs: int = 1) -> list[Ran]:
        """Make runs and read what they left: evidence, or what became of a run that has none."""
        return [read_run(outcome) for outcome in self.launch(specs, jobs)]


@contextmanager
def session(request: Request, progress: Progress, kind: str = AUDITS) -> Iterator[Session]:
    """The session of one command; `kind`: the folder below that of the evidence. An interrupt within becomes
    Interrupted, and every way out ends the progress and clears what is temporary."""
    with workspace(request, kind) as space:
        planner = Planner(
            request=request, environ=dict(os.environ), cwd=Path.cwd(), directory=space.folder, tmp=space.tmp
        )
        try:
            yield Session(request=request, planner=planner, progress=progress)
        finally:
            progress.finished()
