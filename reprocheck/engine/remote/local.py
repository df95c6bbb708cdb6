"""Jobs as processes of this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from reprocheck.engine.remote import job as on_the_other_side
from reprocheck.engine.remote.engines import Ended, Job, Setting
from reprocheck.engine.remote.job import END_SECONDS, end, tail_of
from reprocheck.errors import UsageError


@dataclass
class _Running:
    job: Job
    process: subprocess.Popen[bytes]


class LocalEngine:
    """At most `--jobs` at a time."""

    is_elsewhere = False

    def __init__(self, setting: Setting) -> None:
        if setting.arguments:
            name = next(iter(setting.arguments))
            raise UsageError(f"--engine local takes no --engine-arg {name}", "--jobs says how many runs at a time")
        self._setting = setting
        self._waiting: list[Job] = []
        self._running: dict[str, _Running] = {}
        self._ended: dict[str, Ended] = {}

    def submit(self, jobs: Sequence[Job]) -> None:
        """Start as many as may run."""
        self._waiting += jobs
        self._go_on()

    def ended(self, job: Job) -> Ended | None:
        """None while it waits or runs."""
        self._go_on()
        return self._ended.get(job.name)

    def cancel(self) -> None:
        """End what runs."""
        self._waiting.clear()
        for one in self._running.values():
            if one.process.poll() is None:
                one.process.terminate()
        for one in self._running.values():
            end(one.process)
        self._go_on()

    def close(self) -> None:
        """Wait for what has written its result and is about to end."""
        for one in self._running.values():
            try:
                one.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                end(one.process)
        self._go_on()

    def _go_on(self) -> None:
        for name, one in list(self._running.items()):
            code = one.process.poll()
            if code is not None:
                del self._running[name]
                text = tail_of(self._setting.err(one.job)) if code >= 0 else f"signal {-code} ended its job"
                self._ended[name] = Ended(code=code if code >= 0 else None, text=text)
        while self._waiting and len(self._running) < self._setting.jobs:
            job = self._waiting.pop(0)
            self._running[job.name] = _Running(job, self._start(job))

    def _start(self, job: Job) -> subprocess.Popen[bytes]:
        with open(self._setting.out(job), "wb") as out, open(self._setting.err(job), "wb") as err:
            return subprocess.Popen(
                [sys.executable, str(on_the_other_side.__file__), *job.arguments],
                cwd=job.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,  # Ctrl-C is answered here, and passed on
            )
