"""Runs as processes: what is asked of one, and its end together with everything that it started."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from reprocheck.protocol import RUN_VARIABLE

WORKER = Path(__file__).parent / "worker" / "__main__.py"
GRACE_SECONDS = 3.0
"""Between asking a run to end and ending it."""


class Process(Protocol):
    """What subprocess.Popen and a fork of a template have in common. It leads a session of its own."""

    pid: int

    def poll(self) -> int | None:
        """Its exit status (negative: the signal that ended it); None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The same, once it has ended. Raises subprocess.TimeoutExpired."""


def end_processes(process: Process, name: str) -> None:
    """End a run with its children and theirs: politely, then for good. `name`: its value of RUN_VARIABLE."""
    descendants: dict[int, str] = {}
    if process.poll() is None:
        descendants = _descendants(process.pid)
        _signal_group(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()
    left = [pid for pid, started in descendants.items() if _parent_and_start(pid)[1] == started]
    for pid in {*left, *_marked(name)}:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _descendants(pid: int) -> dict[int, str]:
    """Everything below a process, whatever its session and environment (Linux); with each one's time of start."""
    children: dict[int, list[tuple[int, str]]] = {}
    for entry in _processes():
        parent, started = _parent_and_start(entry)
        children.setdefault(parent, []).append((entry, started))
    found: dict[int, str] = {}
    todo = [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found.update(below)
        todo += [child for child, _ in below]
    return found


def _parent_and_start(pid: int) -> tuple[int, str]:
    """Together with its number, the time of its start tells a process from a later one."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return -1, ""
    return int(fields[1]), fields[19].decode()


def _processes() -> list[int]:
    try:
        return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    except OSError:
        return []


def _marked(name: str) -> list[int]:
    """Processes that carry this run's variable, in whatever session they hide (Linux)."""
    marker = f"{RUN_VARIABLE}={name}".encode()
    found = []
    for pid in _processes():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if marker in file.read().split(b"\0"):
                    found.append(pid)
        except OSError:
            continue
    return found
