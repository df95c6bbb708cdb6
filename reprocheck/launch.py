"""The one place that starts processes: runs side by side, each ended with everything it started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from reprocheck.errors import Interrupted, NoVerdictError
from reprocheck.evidence import read_end, read_tail
from reprocheck.failfast import FailFast
from reprocheck.model import Outcome, RunSpec, Status
from reprocheck.progress import Progress
from reprocheck.protocol import (
    RECORD_SIZE,
    RUN_VARIABLE,
    SPEC_FILE,
    STDERR_FILE,
    STDOUT_FILE,
    STEPS_FILE,
    count_steps,
    encode_spec,
)
from reprocheck.workdir import copy_folder

WORKER = Path(__file__).parent / "worker" / "__main__.py"
POLL_SECONDS = 0.02
PROGRESS_SECONDS = 0.5
DISK_FULL = 1 << 16
"""Free bytes below which a lost run is put down to the disk."""
GRACE_SECONDS = 3.0
"""Between asking a run to end and ending it."""


@dataclass
class _Active:
    spec: RunSpec
    process: subprocess.Popen[bytes]
    started: float
    reported: float = 0.0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


def launch(specs: Sequence[RunSpec], jobs: int, progress: Progress, fail_fast: FailFast | None = None) -> list[Outcome]:
    """Run all, at most `jobs` at a time, in order. Raises Interrupted (children ended) on Ctrl-C or SIGTERM.

    With `fail_fast`, runs under way are ended as STOPPED once two have parted, and no more are started.
    """
    outcomes: dict[str, Outcome] = {}
    waiting = list(specs)
    active: list[_Active] = []
    last_start: dict[int, float] = {}
    with _signals() as stop:
        try:
            while (waiting or active) and not stop.is_set():
                while waiting and len(active) < jobs and _may_start(waiting[0], last_start):
                    spec = waiting.pop(0)
                    last_start[spec.seed] = time.time()
                    active.append(_start(spec))
                    if fail_fast is not None:
                        fail_fast.started(spec)
                    progress.run_started(spec.id, len(specs) - len(waiting))
                for run in list(active):
                    outcome = _check(run, progress)
                    if outcome is not None:
                        active.remove(run)
                        outcomes[run.spec.id] = outcome
                        progress.run_ended(run.spec.id, outcome.status, outcome.seconds, steps_so_far(run.spec))
                        if outcome.usage:
                            waiting.clear()
                if fail_fast is not None and active and fail_fast.parted():
                    waiting.clear()
                    for run in list(active):
                        active.remove(run)
                        outcomes[run.spec.id] = outcome = _stop(run)
                        progress.run_ended(run.spec.id, outcome.status, outcome.seconds, steps_so_far(run.spec))
                stop.wait(POLL_SECONDS)
        finally:
            for run in active:
                end_processes(run.process, run.spec)
    if stop.is_set():
        raise Interrupted("interrupted")
    return [outcomes[spec.id] for spec in specs if spec.id in outcomes]


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """Turns Ctrl-C and SIGTERM into an event, so that children are ended in order."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _may_start(spec: RunSpec, last_start: dict[int, float]) -> bool:
    last = last_start.get(spec.seed)
    now = time.time()
    return last is None or now >= last + spec.ambient.start_gap or now < last


def _start(spec: RunSpec) -> _Active:
    try:
        spec.directory.mkdir(parents=True)
        if spec.copy_of is not None:
            copy_folder(spec.copy_of, spec.cwd)
        if spec.ambient.own_tmpdir:
            shutil.rmtree(spec.environment["TMPDIR"], ignore_errors=True)
            Path(spec.environment["TMPDIR"]).mkdir(parents=True)
        (spec.directory / SPEC_FILE).write_text(encode_spec(spec), encoding="utf-8")
        with _output(spec, STDOUT_FILE) as stdout, _output(spec, STDERR_FILE) as stderr:
            process = subprocess.Popen(
                [sys.executable, str(WORKER), str(spec.directory)],
                cwd=spec.cwd,
                env=dict(spec.environment),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
    except OSError as error:
        place = error.filename or spec.directory.parent
        raise NoVerdictError(f"cannot start run {spec.id}: {error.strerror or error} ({place})") from error
    return _Active(spec, process, time.monotonic())


def _output(spec: RunSpec, name: str) -> BinaryIO:
    return (spec.directory / name).open("wb")


def _check(run: _Active, progress: Progress) -> Outcome | None:
    code = run.process.poll()
    timeout = run.spec.settings.timeout
    if code is not None:
        seconds = run.seconds
        end_processes(run.process, run.spec)
        return _conclude(run.spec, code, seconds)
    if timeout is not None and run.seconds > timeout:
        end_processes(run.process, run.spec)
        return Outcome(
            spec=run.spec,
            status=Status.TIMED_OUT,
            reason=f"still running after {timeout:g} s (--timeout)",
            last_words=_last_words(run.spec),
            seconds=run.seconds,
        )
    if run.seconds - run.reported > PROGRESS_SECONDS:
        run.reported = run.seconds
        progress.run_step(run.spec.id, steps_so_far(run.spec), run.seconds)
    return None


def _stop(run: _Active) -> Outcome:
    end_processes(run.process, run.spec)
    reason = "ended at the first difference (--fail-fast)"
    return Outcome(spec=run.spec, status=Status.STOPPED, reason=reason, seconds=run.seconds)


def _conclude(spec: RunSpec, code: int, seconds: float) -> Outcome:
    """A run succeeded when its evidence is complete, whatever its exit status says."""
    end = read_end(spec.directory)
    status, reason, usage = Status.LOST, "", False
    if end is None:
        ended = f"ended by {_signal_name(-code)}" if code < 0 else f"exited with status {code}"
        reason = f"{ended} without closing its evidence"
        if shutil.disk_usage(spec.directory).free < DISK_FULL:
            reason += f": the disk that holds {spec.directory.parent} is full"
    elif end["status"] == "unusable":
        status, reason, usage = Status.FAILED, str(end["error"]), True
    elif end["status"] == "failed":
        status, reason = Status.FAILED, str(end["error"])
    else:
        status = Status.COMPLETED
        if code < 0:
            reason = f"ended by {_signal_name(-code)} after its last observation"
    return Outcome(spec=spec, status=status, reason=reason, last_words=_last_words(spec), seconds=seconds, usage=usage)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_words(spec: RunSpec) -> str:
    return read_tail(spec.directory / STDERR_FILE) or read_tail(spec.directory / STDOUT_FILE)


def steps_so_far(spec: RunSpec) -> int:
    """Optimizer steps written to disk by now."""
    try:
        with (spec.directory / STEPS_FILE).open("rb") as file:
            count = file.seek(0, os.SEEK_END) // RECORD_SIZE
            file.seek(max(0, count - 1) * RECORD_SIZE)
            return max(0, count - 1) + count_steps(file.read(RECORD_SIZE))
    except OSError:
        return 0


def end_processes(process: subprocess.Popen[bytes], spec: RunSpec) -> None:
    """End a run with its children and theirs: politely, then for good."""
    descendants: dict[int, str] = {}
    if process.poll() is None:
        descendants = _descendants(process.pid)
        _signal_group(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()
    left = [pid for pid, started in descendants.items() if _parent_and_start(pid)[1] == started]
    for pid in {*left, *_marked(spec.environment[RUN_VARIABLE])}:
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
