"""The values of `reprocheck vary`: variations (Variation) → runs → rows (Row) → Answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from reprocheck.errors import ExitCode
from reprocheck.model import Divergence, NotCompared, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a run is given other than the control."""

    settings: tuple[tuple[str, object], ...] = ()
    """Fields of Settings."""
    environment: tuple[tuple[str, str], ...] = ()
    overrides: tuple[tuple[str, object], ...] = ()
    """Fields of Interventions."""
    ambient: tuple[tuple[str, object], ...] = ()
    """Fields of Ambient."""
    arguments: tuple[tuple[str, object], ...] = ()
    """Of the target function."""
    ranks: int | None = None
    """So many are started by the launcher."""
    elsewhere: bool = False
    """It works in a copy of the folder at another path."""
    again: bool = False
    """It works in the folder that the control left behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of the machine and of the target from its control run."""

    request: Request
    manifest: Mapping[str, Any]
    settings: Mapping[str, Any]
    """In force at the end of the control run."""
    is_copied: bool
    """Runs work in copies of the folder."""
    flags: tuple[tuple[str, bool], ...] = ()
    """Arguments of the target function that are on or off, with their defaults."""
    calls: frozenset[str] = frozenset()
    """What the control run made that an override could reach: `loader`, `optimizer`, `ddp`."""
    ranks: int = 0
    """Of the control run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What a varied run says of itself at its end; where ranks train, its lowest rank."""

    manifest: Mapping[str, Any]
    settings: Mapping[str, Any]
    ranks: int = 0


def _always(facts: Facts) -> str:
    return ""


def _untold(seen: InForce) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """One thing that can be varied by itself."""

    name: str
    """Short, unique; as `--only` takes it."""
    group: str
    """What it is one value of; `--only` and `--require` take that, too."""
    emulates: str
    """What in the world it stands for."""
    change: Change | Callable[[Facts], Change]
    is_environment: bool = False
    """Nobody promises that it stays as it is: all of these are varied in one run first."""
    why_not: Callable[[Facts], str] = _always
    """Why it cannot apply here; empty where it does."""
    not_in_force: Callable[[InForce], str] = _untold
    """Why a run was not varied after all; empty where it was."""


class Status(str, Enum):
    """What became of a row."""

    SAME = "same"
    DIFFERS = "differs"
    FAILED = "failed"
    NOT_IN_FORCE = "not in force"
    NOT_COMPARED = "not compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How far a metric moved from the control's."""

    metric: str
    control: float
    here: float
    std: float | None
    """From seed to seed; None where that is not known."""

    @property
    def in_std(self) -> float | None:
        """The move in standard deviations over seeds."""
        return abs(self.here - self.control) / self.std if self.std else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One variation, or several that were varied together, against the control."""

    names: tuple[str, ...]
    group: str
    status: Status
    reason: str = ""
    divergence: Divergence | None = None
    shift: Shift | None = None
    """Of the metric that moved most."""
    seconds: float = 0.0
    memory: int | None = None
    """Peak of what the process held, bytes."""
    runs: tuple[str, ...] = ()
    not_compared: tuple[NotCompared, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The whole answer: what reports are made of."""

    request: Request
    exit_code: ExitCode
    summary: str
    """As text."""
    control: Divergence | None = None
    """Two equal runs differ: then nothing can be said of variations."""
    reason: str = ""
    """Why there is no answer."""
    stderr_tail: str = ""
    rows: tuple[Row, ...] = ()
    joint: tuple[Row, ...] = ()
    """All at once, and what of it is responsible together."""
    not_varied: tuple[NotCompared, ...] = ()
    required: tuple[str, ...] = ()
    runs: int = 0
    seconds_of_control: float = 0.0
    memory_of_control: int | None = None
    spread: Mapping[str, float | None] = field(default_factory=dict)
    """Standard deviation of each metric over seeds."""
    seeds: int = 1
    directory: Path = Path()
    seconds: float = 0.0
