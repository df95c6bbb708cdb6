"""Jobs in a Slurm array, through submitit; `--engine-arg cluster=local` has submitit run them on this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from reprocheck.engine.remote.engines import Ended, Job, Setting, not_installed, refused, thread_variables
from reprocheck.engine.remote.job import END_SECONDS, run_command

CLUSTER = "slurm"
SHARED = (
    "name",
    "timeout_min",
    "mem_gb",
    "nodes",
    "cpus_per_task",
    "gpus_per_node",
    "tasks_per_node",
    "stderr_to_stdout",
)
"""Parameters of submitit's executors in general; all others are those of Slurm."""
LIMIT_MINUTES = 24 * 60
"""Of a job, where nobody says how long it takes: submitit's own default is five minutes."""
SPARE_MINUTES = 10


class SlurmEngine:
    """One array of all jobs."""

    def __init__(self, setting: Setting) -> None:
        try:
            import submitit
        except ImportError:
            raise not_installed("slurm", "submitit") from None
        given = dict(setting.arguments)
        cluster = str(given.pop("cluster", CLUSTER))
        self.is_elsewhere = cluster == CLUSTER
        self._setting = setting
        self._jobs: dict[str, Any] = {}
        try:
            # %j: a folder for each job, so that none of an earlier one is taken for it.
            self._executor = submitit.AutoExecutor(folder=setting.folder / "%j", cluster=cluster)
            self._executor.update_parameters(**parameters(given, cluster, setting.seconds))
        except (RuntimeError, ValueError, NameError, AssertionError, TypeError) as error:
            raise refused("slurm", error) from error

    def submit(self, jobs: Sequence[Job]) -> None:
        """As one array."""
        made = self._executor.map_array(
            run_command,
            [list(job.arguments) for job in jobs],
            [str(job.folder) for job in jobs],
            [thread_variables()] * len(jobs),
            [self._setting.out(job) for job in jobs],
            [self._setting.err(job) for job in jobs],
        )
        self._jobs = {job.name: one for job, one in zip(jobs, made, strict=True)}

    def ended(self, job: Job) -> Ended | None:
        """None while it waits or runs."""
        one = self._jobs[job.name]
        if not one.done():
            return None
        try:
            code, text = one.result()
        except Exception as error:  # the job was killed, its node was lost, or submitit cannot read what it left
            said = " ".join(str(error).split()).partition(" submitted by ")[0]
            return Ended(code=None, text=f"job {one.job_id} ended as {str(one.state).lower()}: {said[:300]}")
        return Ended(code=code, text=text)

    def cancel(self) -> None:
        """As `scancel` does."""
        for one in self._jobs.values():
            with suppress(Exception):
                if not one.done():
                    one.cancel()
        until = time.monotonic() + END_SECONDS
        while time.monotonic() < until and not all(one.done() for one in self._jobs.values()):
            time.sleep(0.1)

    def close(self) -> None:
        """Nothing of it runs here."""


def parameters(given: dict[str, Any], cluster: str, seconds: float | None) -> dict[str, Any]:
    """As submitit names them: `partition` is `slurm_partition` there."""
    named = {
        name if name in SHARED or name.startswith((f"{CLUSTER}_", f"{cluster}_")) else f"{CLUSTER}_{name}": value
        for name, value in given.items()
    }
    if not {"timeout_min", "slurm_time", "slurm_timeout_min"} & named.keys():
        named["timeout_min"] = LIMIT_MINUTES if seconds is None else math.ceil(seconds / 60) + SPARE_MINUTES
    return {"name": "reprocheck", **named}
