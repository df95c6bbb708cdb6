"""What an engine is asked: to run commands of ours, each in a process of its own on some machine that sees the same
folders, and to tell when one has ended."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from reprocheck.errors import UsageError

NONE = "none"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Engines set some of these (Ray: 1). They change results, and so are as they are where the command was called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One command of ours."""

    name: str
    """Unique, and fit for a file name."""
    arguments: tuple[str, ...]
    """Of `reprocheck`."""
    folder: Path
    """Where it is started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of a job."""

    code: int | None
    """As it exited; None where its machine, or the engine, lost it."""
    text: str
    """The end of its standard error, or why it was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What an engine is opened with."""

    folder: Path
    """Its own: jobs leave their output there. Every machine sees it."""
    jobs: int
    """At the same time, on this machine."""
    seconds: float | None
    """How long one job takes at most, if that is known."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """--engine-arg."""

    def out(self, job: Job) -> str:
        """The file for its standard output."""
        return str(self.folder / f"{job.name}.out")

    def err(self, job: Job) -> str:
        """The file for its standard error."""
        return str(self.folder / f"{job.name}.err")


class Engine(Protocol):
    """One way to have jobs run."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether jobs may run on another machine than this one."""

    def submit(self, jobs: Sequence[Job]) -> None:
        """Once, all of them."""

    def ended(self, job: Job) -> Ended | None:
        """None while it waits or runs."""

    def cancel(self) -> None:
        """End those that have not ended, and wait until they have, for a while."""

    def close(self) -> None:
        """All jobs have ended: nothing of the engine is left."""


def open_engine(name: str, setting: Setting) -> Engine:
    """Raises UsageError where it is not installed, or not given what it needs."""
    if name == "local":
        from reprocheck.engine.remote.local import LocalEngine as Opened
    elif name == "slurm":
        from reprocheck.engine.remote.slurm import SlurmEngine as Opened  # type: ignore[assignment]
    else:
        from reprocheck.engine.remote.ray import RayEngine as Opened  # type: ignore[assignment]
    setting.folder.mkdir(parents=True, exist_ok=True)
    return Opened(setting)


def thread_variables() -> dict[str, str | None]:
    """As they are here."""
    return {name: os.environ.get(name) for name in THREADS}


def not_installed(engine: str, package: str) -> UsageError:
    """One line that says what to do."""
    return UsageError(f"--engine {engine} needs {package}: pip install 'reprocheck[{engine}]'")


def refused(engine: str, error: BaseException) -> UsageError:
    """What the engine says to its arguments, or to this machine."""
    text = " ".join(str(error).split()) or type(error).__name__
    return UsageError(f"--engine {engine}: {text[:500]}", "its options are given with --engine-arg NAME=VALUE")
