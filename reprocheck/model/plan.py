"""Runs that are planned on one machine and made on others, and what each of them came to. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reprocheck.model.difference import NotCompared
from reprocheck.model.request import Target
from reprocheck.model.run_evidence import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """One run of a plan."""

    number: int
    """It lies in `run-<number>`."""
    id: str
    """`s<seed>r<repeat>`."""
    seed: int
    repeat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a folder of planned runs is made for."""

    id: str
    """Digest of all the rest."""
    version: str
    """Of reprocheck; runs are made by the same one."""
    target: Target
    """Its path is relative to the folder of the code."""
    options: Mapping[str, Any]
    """As a user writes them, by key."""
    runs: tuple[PlannedRun, ...]
    folder: str
    """Of the code, relative to that of the plan."""
    code: Mapping[str, str]
    """Source file → digest; paths are relative to the folder of the code. All of them are checked before a run."""
    data: Mapping[str, str]
    """The same of other files: checked where a run read them."""
    same_class: bool
    """Runs on a machine unlike that of the first one are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the process that made a planned run wrote down when the run had ended."""

    run: PlannedRun
    outcome: Outcome
    not_varied: tuple[NotCompared, ...]
    """Environment factors that did not vary on that machine, and why."""
    manifest: Mapping[str, Any]
    """What it was made with, and on."""
    started: float
    """Seconds since the epoch."""
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A planned run that cannot be judged."""

    run: PlannedRun
    reason: str
    """What to tell a person."""
    is_missing: bool = False
    """It has not ended, as far as can be seen here: later it may be there."""
