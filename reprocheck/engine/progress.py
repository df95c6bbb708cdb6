"""What a person sees while runs are under way. On standard error only; the audit itself never prints.

The audit reports what happens to a Progress; it does not know who listens.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

from reprocheck.engine.console import escape, is_terminal, print_message
from reprocheck.model import Status

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


class Progress:
    """A listener of an audit, which heeds of all this what it needs."""

    def started(self, total_runs: int, then: str = "") -> None:
        """The audit begins. `then`: which further runs may follow, as a clause."""

    def run_started(self, run_id: str, index: int) -> None:
        """A run begins; `index` counts from 0."""

    def run_step(self, run_id: str, step: int, seconds: float) -> None:
        """A run has reached an optimizer step, `seconds` after its start."""

    def run_ended(self, run_id: str, status: Status, seconds: float, steps: int) -> None:
        """A run has ended."""

    def stage(self, message: str) -> None:
        """The audit turns to something else."""

    def further(self, most: int) -> None:
        """At most so many runs are made beyond the plan, each for a question that `stage` gives."""

    def found(self, message: str) -> None:
        """What is certain by now, though the audit goes on."""

    def finished(self) -> None:
        """Nothing more will come."""


class SilentProgress(Progress):
    """Nobody listens."""


class PlainProgress(Progress):
    """One line for each finished run; with `verbose` also for starts and stages."""

    def __init__(self, verbose: bool = False) -> None:
        self._verbose = verbose
        self._total = 0
        self._ended = 0
        self._further = 0
        self._stage = ""
        self._lock = threading.Lock()

    def started(self, total_runs: int, then: str = "") -> None:
        """Say the plan, if more may follow."""
        with self._lock:
            self._total, self._ended = total_runs, 0
        if then:
            print_message(_line(f"{_runs(total_runs)}; {then}"))

    def run_started(self, run_id: str, index: int) -> None:
        """Print it when asked for."""
        if self._verbose:
            print_message(_line(f"run {run_id} started"))

    def run_ended(self, run_id: str, status: Status, seconds: float, steps: int) -> None:
        """Print how it ended."""
        with self._lock:
            self._ended += 1
            beyond = self._ended - self._total
            number = f"run {self._ended}/{self._total}" if beyond <= 0 else _further(beyond, self._further)
            asked = f": {self._stage}" if beyond > 0 and self._stage else ""
            print_message(_line(f"{number} {_ended(run_id, status, seconds, steps)}{asked}"))

    def stage(self, message: str) -> None:
        """Print it when asked for; else with the runs that are made for it."""
        self._stage = message
        if self._verbose:
            print_message(_line(message))

    def further(self, most: int) -> None:
        """Remember how many there may be."""
        self._further = most

    def found(self, message: str) -> None:
        """Print it at once."""
        print_message(_line(message))


class LiveProgress(Progress):
    """A display that moves: the runs under way, their step, the time. Only for a real terminal."""

    def __init__(self, *, in_browser: bool = False) -> None:
        self._in_browser = in_browser
        self._bars: Bars | None = None
        self._all: TaskID | None = None
        self._tasks: dict[str, TaskID] = {}
        self._total = 0
        self._ended = 0
        self._further = 0
        self._then = ""
        self._seconds = 0.0
        self._began = 0.0
        self._lock = threading.RLock()

    def started(self, total_runs: int, then: str = "") -> None:
        """Put up the display."""
        from rich.progress import Progress as Bars
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        with self._lock:
            self.finished()
            self._total, self._ended, self._began = total_runs, 0, time.monotonic()
            self._then, self._seconds = then, 0.0
            label = TextColumn("{task.description}", markup=False)
            # NOTE: standard output belongs to the report; rich would take it over, too.
            self._bars = Bars(
                SpinnerColumn("line"),
                label,
                TimeElapsedColumn(),
                console=_live_console(self._in_browser),
                transient=True,
                redirect_stdout=False,
                redirect_stderr=True,
                refresh_per_second=5,
            )
            self._all = self._bars.add_task(self._overview(), total=None)
            self._bars.start()

    def run_started(self, run_id: str, index: int) -> None:
        """Add a line for the run."""
        with self._lock:
            if self._bars is not None:
                self._tasks[run_id] = self._bars.add_task(_line(f"run {run_id} starting", head=False), total=None)

    def run_step(self, run_id: str, step: int, seconds: float) -> None:
        """Move the step of the run."""
        with self._lock:
            task = self._tasks.get(run_id)
            if self._bars is not None and task is not None:
                self._bars.update(task, description=_line(f"run {run_id} step {step}", head=False))

    def run_ended(self, run_id: str, status: Status, seconds: float, steps: int) -> None:
        """Take the run's line away; a run that failed leaves a line behind."""
        with self._lock:
            self._ended += 1
            self._seconds += seconds
            task = self._tasks.pop(run_id, None)
            if self._bars is not None and task is not None:
                self._bars.remove_task(task)
            self._refresh()
        if status is not Status.COMPLETED:
            print_message(_line(_ended(run_id, status, seconds, steps)))

    def stage(self, message: str) -> None:
        """Show what the audit is at."""
        with self._lock:
            beyond = self._ended - self._total
            if beyond < 0:
                self._refresh(message)
                return
            left = self._seconds / self._ended * (self._further - beyond) if self._ended else 0.0
            time_left = f" (at most {_about(left)} left)" if self._further > beyond and left else ""
            self._refresh(f"{_further(beyond + 1, self._further)}: {message}{time_left}")

    def further(self, most: int) -> None:
        """Remember how many there may be."""
        with self._lock:
            self._further = most

    def found(self, message: str) -> None:
        """Leave a line behind."""
        print_message(_line(message))

    def finished(self) -> None:
        """Take the display down. May be called twice."""
        with self._lock:
            bars, self._bars, self._all = self._bars, None, None
            self._tasks.clear()
        if bars is not None:
            bars.stop()

    def _refresh(self, message: str | None = None) -> None:
        if self._bars is not None and self._all is not None:
            self._bars.update(self._all, description=_line(message, head=False) if message else self._overview())

    def _overview(self) -> str:
        done = f"{self._ended} of {max(self._total, self._ended)} runs done"
        left = self._total - self._ended
        then = f"; {self._then}" if self._then and left > 0 else ""
        if not self._ended or left < 1:
            return done + then
        # Runs of one target take much the same time.
        seconds = (time.monotonic() - self._began) / self._ended * left
        return f"{done}, {_about(seconds)} left{then}"


def choose_progress(quiet: int, verbose: bool, *, in_browser: bool = False) -> Progress:
    """Nobody with -q; a live display on a real terminal, or in a notebook that can show one; else one line a run."""
    if quiet > 0:
        return SilentProgress()
    if in_browser and not verbose and find_spec("ipywidgets") is not None:  # without it rich shows nothing there
        return LiveProgress(in_browser=True)
    # NOTE: not FORCE_COLOR, which makes rich believe that a file is a terminal.
    if verbose or not is_terminal(sys.stderr) or os.environ.get("TERM") in (None, "", "dumb"):
        return PlainProgress(verbose)
    return LiveProgress()


def _live_console(in_browser: bool = False) -> Console:
    from rich.console import Console

    if in_browser:
        return Console(force_jupyter=True, markup=False, emoji=False, highlight=False)
    return Console(file=sys.stderr, markup=False, emoji=False, highlight=False)


def _runs(number: int) -> str:
    return f"{number} run{'' if number == 1 else 's'}"


def _further(number: int, most: int) -> str:
    """A run beyond the plan; `most` is 0 where nobody said how many there may be."""
    return f"further run {number} of at most {most}" if most >= number else f"further run {number}"


def _about(seconds: float) -> str:
    return f"about {seconds:.0f} s" if seconds < 100 else f"about {seconds / 60:.0f} min"


def _line(message: str, *, head: bool = True) -> str:
    return ("reprocheck: " if head else "") + escape(message)


def _ended(run_id: str, status: Status, seconds: float, steps: int) -> str:
    counted = f", {steps} step{'' if steps == 1 else 's'}" if steps else ""
    return f"{run_id} {status.value.replace('-', ' ')} in {seconds:.1f} s{counted}"
