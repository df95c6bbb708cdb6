"""Runs as processes: what is asked of one, and its end together with everything that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from typing import Protocol

import psutil

from reprocheck.protocol import GRACE_SECONDS, RUN_VARIABLE

SUPERVISOR_SECONDS = 4.0
"""Beyond GRACE_SECONDS: for a supervisor to end a run that does not end by itself."""
STOPPED_SECONDS = 5.0
"""So long a run may be stopped (SIGSTOP) before it is given up."""


class Process(Protocol):
    """What subprocess.Popen and a fork of a template have in common. It looks after the run (worker.supervisor)."""

    pid: int

    def poll(self) -> int | None:
        """Its exit status (negative: the signal that ended it); None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The same, once it has ended. Raises subprocess.TimeoutExpired."""


def end_processes(process: Process, name: str) -> None:
    """End a run with its children and theirs: politely, then for good. `name`: its value of RUN_VARIABLE.

    Its supervisor does it. What the target has done to that one (stopped it, say) must not keep the run alive.
    """
    below: list[psutil.Process] = []
    if process.poll() is None:
        below = _descendants(process.pid)
        for number in (signal.SIGTERM, signal.SIGCONT):
            _signal(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS + SUPERVISOR_SECONDS)
        if process.poll() is None:
            below += _descendants(process.pid)
            _signal(process.pid, signal.SIGKILL)
            process.wait()
    for one in {*below, *_marked(name)}:
        with suppress(psutil.Error):  # it knows a process that has got the number of one that ended
            one.kill()


def continue_if_stopped(pid: int) -> None:
    """Let a process of ours go on that the target has stopped."""
    with suppress(psutil.Error):
        if psutil.Process(pid).status() == psutil.STATUS_STOPPED:
            _signal(pid, signal.SIGCONT)


def has_ended(pid: int) -> bool:
    """Whether a process is no more, or waits only for its status to be read."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


class Standstill:
    """Looks whether a run was stopped by a signal. Its supervisor goes on at once."""

    def __init__(self, supervisor: int) -> None:
        self._supervisor = supervisor
        self._run: psutil.Process | None = None
        self._since: float | None = None

    def is_over(self) -> bool:
        """Whether the run has stood still for too long. Asked again and again."""
        continue_if_stopped(self._supervisor)
        try:
            self._run = self._run or _run_below(self._supervisor)
            stopped = self._run is not None and self._run.status() == psutil.STATUS_STOPPED
        except psutil.Error:
            stopped = False
        if not stopped:
            self._since = None
            return False
        self._since = self._since or time.monotonic()
        return time.monotonic() > self._since + STOPPED_SECONDS


def _run_below(supervisor: int) -> psutil.Process | None:
    """The run itself: the oldest child."""
    return min(psutil.Process(supervisor).children(), key=lambda one: one.create_time(), default=None)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _descendants(pid: int) -> list[psutil.Process]:
    """Everything below a process, whatever its session and environment."""
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.Error:
        return []


def _marked(name: str) -> list[psutil.Process]:
    """Processes that carry this run's variable, wherever they hide."""
    found = []
    for one in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if one.environ().get(RUN_VARIABLE) == name:
                found.append(one)
    return found
