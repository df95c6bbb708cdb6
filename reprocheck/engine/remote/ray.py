"""Jobs as tasks of a Ray cluster, or of a Ray that is started on this machine. Ray's worker processes serve many tasks
and have OMP_NUM_THREADS=1: a task does no more than start our command in a process of its own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from reprocheck.engine.interrupts import SIGNALS
from reprocheck.engine.remote.engines import Ended, Job, Setting, not_installed, refused, thread_variables
from reprocheck.engine.remote.job import END_SECONDS, run_command

OF_INIT = ("address", "namespace", "runtime_env", "num_workers")
"""Arguments of ray.init; all others are those of a task: num_cpus, num_gpus, resources, ..."""


class RayEngine:
    """One task for each job."""

    def __init__(self, setting: Setting) -> None:
        os.environ.setdefault("RAY_DEDUP_LOGS", "0")
        try:
            import ray
        except ImportError:
            raise not_installed("ray", "ray") from None
        self._ray: Any = ray
        self._setting = setting
        self._tasks: dict[str, Any] = {}
        given = dict(setting.arguments)
        start = {name: given.pop(name) for name in OF_INIT if name in given}
        self.is_elsewhere = bool(start.get("address") or os.environ.get("RAY_ADDRESS"))
        self._was_there = ray.is_initialized()
        try:
            self._task = ray.remote(**{"max_calls": 1, "max_retries": 0, **given})(run_command)
            if not self._was_there:
                self._start(start)
        except (ValueError, TypeError, ConnectionError, RuntimeError, AssertionError) as error:
            raise refused("ray", error) from error

    def _start(self, start: dict[str, Any]) -> None:
        handlers = {number: signal.getsignal(number) for number in SIGNALS}
        own = {} if self.is_elsewhere else {"include_dashboard": False}
        try:
            self._ray.init(log_to_driver=False, logging_level="ERROR", **{**own, **start})
        finally:  # Ray puts its own in their place
            for number, handler in handlers.items():
                if handler is not None:
                    with suppress(ValueError):  # in a thread there are none
                        signal.signal(number, handler)

    def submit(self, jobs: Sequence[Job]) -> None:
        """Each a task."""
        for job in jobs:
            self._tasks[job.name] = self._task.remote(
                list(job.arguments), str(job.folder), thread_variables(), self._setting.out(job), self._setting.err(job)
            )

    def ended(self, job: Job) -> Ended | None:
        """None while it waits or runs."""
        task = self._tasks[job.name]
        if not self._ray.wait([task], timeout=0)[0]:
            return None
        try:
            code, text = self._ray.get(task)
        except Exception as error:  # its node or its worker process was lost, or it was cancelled
            said = next((line for line in str(error).splitlines() if line.strip()), "")
            return Ended(code=None, text=f"its task was lost: {type(error).__name__}: {said[:300]}")
        return Ended(code=code, text=text)

    def cancel(self) -> None:
        """First politely: the commands clear up."""
        for force, seconds in ((False, END_SECONDS), (True, END_SECONDS / 3)):
            left = self._left()
            for task in left:
                with suppress(Exception):
                    self._ray.cancel(task, force=force)
            until = time.monotonic() + seconds
            while self._left() and time.monotonic() < until:
                time.sleep(0.1)

    def close(self) -> None:
        """A Ray that was started for this command ends with it."""
        if not self._was_there:
            self._ray.shutdown()

    def _left(self) -> list[Any]:
        tasks = list(self._tasks.values())
        return list(self._ray.wait(tasks, num_returns=len(tasks), timeout=0)[1]) if tasks else []
