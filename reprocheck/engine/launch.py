"""The one place that starts processes: runs side by side, each ended with everything it started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

from reprocheck.engine.children import ChildWatch
from reprocheck.engine.folders import Folders
from reprocheck.engine.interrupts import deferred
from reprocheck.engine.processes import STOPPED_SECONDS, Process, Standstill, end_processes
from reprocheck.engine.progress import Progress
from reprocheck.engine.ranks.silence import Silence
from reprocheck.engine.templates import Template, TemplateLost, Templates
from reprocheck.engine.workdir import copy_folder, leave_out, make_home
from reprocheck.errors import Interrupted, NoVerdictError
from reprocheck.evidence.outcome import conclude, stderr_tail
from reprocheck.model import Isolation, Outcome, RunSpec, Status
from reprocheck.protocol import (
    RECORD_SIZE,
    RUN_VARIABLE,
    SPEC_FILE,
    STDERR_FILE,
    STDOUT_FILE,
    STEPS_FILE,
    SUPERVISED,
    count_steps,
    encode_kept,
    encode_spec,
)
from reprocheck.protocol.package import WORKER_FILE
from reprocheck.protocol.rank_folders import all_stopped
from reprocheck.protocol.rank_places import remove_pipes
from reprocheck.protocol.reading import open_regular, write_new
from reprocheck.protocol.seal import seal
from reprocheck.protocol.secrets import key_of, mask_file, mask_text, private, secrets_of

POLL_SECONDS = 0.02
PROGRESS_SECONDS = 0.5
LOOK_SECONDS = 0.2
STOPPED_GRACE = 8.0
"""Seconds for the end of a run whose ranks were all ended after their steps."""


class Watch(Protocol):
    """Looks at runs under way, and says when there is no need for them to go on."""

    reason: str
    """Why a run was ended, as text."""

    def started(self, spec: RunSpec) -> None:
        """A run is under way."""

    def has_diverged(self) -> bool:
        """Whether runs have diverged. Asked again and again."""


@dataclass
class _Active:
    spec: RunSpec
    process: Process
    started: float
    standstill: Standstill
    children: ChildWatch
    silence: Silence
    reported: float = 0.0
    looked: float = 0.0
    """When ranks were last looked at."""
    stopped: float | None = None
    """Since when all of them have stopped."""

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


def launch(
    specs: Sequence[RunSpec],
    jobs: int,
    progress: Progress,
    watch: Watch | None = None,
    templates: Templates | None = None,
) -> list[Outcome]:
    """Run all, at most `jobs` at a time, in order. Raises Interrupted (children ended) on Ctrl-C, SIGTERM or SIGHUP.

    With `watch`, runs under way are ended as STOPPED once two have diverged, and no more are started. Without
    `templates`, every run is an interpreter of its own.
    """
    return _Launch(specs, jobs, progress, watch, templates or Templates(Isolation.PROCESS)).run()


class _Launch:
    def __init__(
        self, specs: Sequence[RunSpec], jobs: int, progress: Progress, watch: Watch | None, templates: Templates
    ) -> None:
        self._specs = specs
        self._jobs = jobs
        self._progress = progress
        self._watch = watch
        self._templates = templates
        self._folders = Folders()
        self._waiting = list(specs)
        self._active: list[_Active] = []
        self._outcomes: dict[str, Outcome] = {}
        self._last_start: dict[int, float] = {}
        """Of the runs of each seed."""

    def run(self) -> list[Outcome]:
        self._templates.place(self._specs)
        with deferred() as stop:
            try:
                while (self._waiting or self._active) and not stop.is_set():
                    while self._may_start_next():
                        self._start_next()
                    self._check()
                    if self._watch is not None and self._active and self._watch.has_diverged():
                        self._end_all(self._watch.reason)
                    stop.wait(POLL_SECONDS)
            finally:
                for run in self._active:
                    _end(run)
                    remove_pipes(run.spec.directory)
                    _forget_secrets(run.spec, secrets_of(run.spec))
        if stop.is_set():
            raise Interrupted("interrupted")
        return [self._outcomes[spec.id] for spec in self._specs if spec.id in self._outcomes]

    def _may_start_next(self) -> bool:
        return (
            bool(self._waiting)
            and len(self._active) < self._jobs
            and self._templates.are_ready(self._waiting)
            and _is_due(self._waiting[0], self._last_start)
        )

    def _start_next(self) -> None:
        spec = self._waiting.pop(0)
        self._last_start[spec.seed] = time.time()
        self._active.append(_start(spec, self._templates.take(spec), self._folders))
        if self._watch is not None:
            self._watch.started(spec)
        self._progress.run_started(spec.id, len(self._specs) - len(self._waiting))

    def _check(self) -> None:
        for run in list(self._active):
            outcome = _check(run, self._progress)
            if outcome is not None:
                self._ended(run, outcome)
                if outcome.usage:
                    self._waiting.clear()

    def _end_all(self, reason: str) -> None:
        self._waiting.clear()
        for run in list(self._active):
            self._ended(run, _stop(run, reason))

    def _ended(self, run: _Active, outcome: Outcome) -> None:
        self._active.remove(run)
        self._templates.ended(run.spec)
        self._folders.after(run.spec, outcome.status is Status.COMPLETED)
        remove_pipes(run.spec.directory)
        secrets = secrets_of(run.spec)
        _forget_secrets(run.spec, secrets)
        outcome = replace(
            outcome,
            reason=mask_text(outcome.reason, secrets),
            stderr_tail=mask_text(outcome.stderr_tail, secrets),
            digests=seal(run.spec.directory),
        )
        self._outcomes[run.spec.id] = outcome
        self._progress.run_ended(run.spec.id, outcome.status, outcome.seconds, steps_so_far(run.spec))


def _is_due(spec: RunSpec, last_start: dict[int, float]) -> bool:
    """Whether the run may start so soon after the one before of its seed."""
    last = last_start.get(spec.seed)
    now = time.time()
    return last is None or now >= last + spec.ambient.start_gap or now < last


def _start(spec: RunSpec, template: Template | None, folders: Folders) -> _Active:
    try:
        spec.directory.mkdir(0o700, parents=True)
        if spec.copy_of is not None:
            copy_folder(spec.copy_of, spec.cwd, spec.known)
            leave_out(spec.cwd, spec.copy_without)
        folders.before(spec)
        if spec.home is not None:
            make_home(spec.home)
        if spec.ambient.own_tmpdir:
            shutil.rmtree(spec.environment["TMPDIR"], ignore_errors=True)
            Path(spec.environment["TMPDIR"]).mkdir(parents=True)
        write_new(spec.directory / SPEC_FILE, encode_spec(spec).encode())
        process = _process(spec, template)
    except OSError as error:
        place = error.filename or spec.directory.parent
        raise NoVerdictError(f"cannot start run {spec.id}: {error.strerror or error} ({place})") from error
    return _Active(
        spec=spec,
        process=process,
        started=time.monotonic(),
        standstill=Standstill(process.pid),
        children=ChildWatch(process.pid, spec.directory),
        silence=Silence(process.pid, spec.directory, spec.cwd),
    )


def _process(spec: RunSpec, template: Template | None) -> Process:
    with _output(spec, STDOUT_FILE) as stdout, _output(spec, STDERR_FILE) as stderr:
        if template is not None:
            with suppress(TemplateLost):
                return template.fork(spec.directory)
        return subprocess.Popen(
            [sys.executable, str(WORKER_FILE), SUPERVISED, str(spec.directory), str(os.getpid())],
            cwd=spec.cwd,
            env=dict(spec.environment),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )


def _forget_secrets(spec: RunSpec, secrets: Sequence[str]) -> None:
    """The secrets of a run are kept no longer than it runs, nor are they where the target printed it."""
    with suppress(OSError):
        write_new(spec.directory / SPEC_FILE, encode_kept(spec, key_of(spec.directory)).encode())
    for name in (STDOUT_FILE, STDERR_FILE):
        with suppress(OSError):
            mask_file(spec.directory / name, secrets)


def _end(run: _Active) -> None:
    end_processes(run.process, run.spec.environment[RUN_VARIABLE])


def _output(spec: RunSpec, name: str) -> BinaryIO:
    return open(spec.directory / name, "wb", opener=private)


def _check(run: _Active, progress: Progress) -> Outcome | None:
    run.children.look()
    code = run.process.poll()
    if code is None and _waits_in_vain(run):
        seconds = run.seconds
        _end(run)
        return conclude(run.spec, 0, seconds)
    timeout = run.spec.settings.timeout
    if code is not None:
        seconds = run.seconds
        _end(run)
        return conclude(run.spec, code, seconds)
    if timeout is not None and run.seconds > timeout:
        where = run.silence.told()
        reason = f"still running after {timeout:g} s (--timeout)" + (f": {where}" if where else "")
        return _give_up(run, Status.TIMED_OUT, reason)
    if run.seconds - run.reported > PROGRESS_SECONDS:
        run.reported = run.seconds
        if run.standstill.is_over():
            reason = f"a signal (SIGSTOP) stopped it, and nothing continued it for {STOPPED_SECONDS:g} s"
            return _give_up(run, Status.LOST, reason)
        progress.run_step(run.spec.id, steps_so_far(run.spec), run.seconds)
    silent = run.silence.look()
    if silent:
        return _give_up(run, Status.LOST, f"stood still: {silent}")
    if silent is not None:  # whatever started the ranks waits for one that hangs while its interpreter ends
        seconds = run.seconds
        _end(run)
        return conclude(run.spec, 0, seconds, is_over=True)
    return None


def _waits_in_vain(run: _Active) -> bool:
    """Whether all ranks were ended after the steps that were asked for, a while ago: what started them may wait for
    something that comes after those steps."""
    now = time.monotonic()
    if now < run.looked + LOOK_SECONDS or not run.spec.is_cut:
        return False
    run.looked = now
    if not all_stopped(run.spec.directory):
        run.stopped = None
        return False
    run.stopped = run.stopped or now
    return now > run.stopped + STOPPED_GRACE


def _give_up(run: _Active, status: Status, reason: str) -> Outcome:
    seconds = run.seconds
    _end(run)
    return Outcome(
        spec=run.spec,
        status=status,
        reason=reason,
        stderr_tail=stderr_tail(run.spec),
        seconds=seconds,
    )


def _stop(run: _Active, reason: str) -> Outcome:
    _end(run)
    return Outcome(spec=run.spec, status=Status.STOPPED, reason=reason, seconds=run.seconds)


def steps_so_far(spec: RunSpec) -> int:
    """Optimizer steps written to disk by now."""
    return steps_in(spec.directory)


def steps_in(folder: Path) -> int:
    """The same, of the run whose evidence is written to this folder."""
    try:
        with open_regular(folder / STEPS_FILE) as file:
            count = file.seek(0, os.SEEK_END) // RECORD_SIZE
            file.seek(max(0, count - 1) * RECORD_SIZE)
            return max(0, count - 1) + count_steps(file.read(RECORD_SIZE))
    except OSError:
        return 0
