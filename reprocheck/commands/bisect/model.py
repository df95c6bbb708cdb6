"""The values of `reprocheck bisect`: order → audited commits → changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reprocheck.errors import ExitCode
from reprocheck.model import Divergence, MetricShift, Request
from reprocheck.model.tolerance import Margin


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit, as git has it."""

    hash: str
    tree: str
    """Of two commits with equal trees the code is the same."""
    parents: tuple[str, ...]
    subject: str

    @property
    def name(self) -> str:
        """Its abbreviated hash."""
        return self.hash[:9]


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """Commits are told apart by one metric, not by all that is compared."""

    metric: str
    worse: Margin
    """How far it has to lie from that of the good end, towards that of the bad one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the user asks for."""

    request: Request
    good: str
    """As the user named it."""
    bad: str
    every: bool = False
    """Find all changes, not one."""
    criterion: Criterion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """A commit whose code was run."""

    commit: Commit
    reason: str = ""
    """Why it cannot be compared; else empty."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Means over seeds."""
    tail: str = ""
    """What the run that failed wrote last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A commit, or one of several, with which the results change."""

    before: Commit
    """The last that has the earlier results."""
    commits: tuple[Commit, ...]
    """The one, or those of which one or more did it: all but the last cannot be compared."""
    divergence: Divergence | None
    seeds: tuple[int, ...]
    """Those whose results changed."""
    shifts: tuple[MetricShift, ...] = ()
    files: tuple[str, ...] = ()
    """That were changed, by their names in the repository."""
    merged_by: Commit | None = None
    """The merge by which it reached the range."""
    note: str = ""

    @property
    def commit(self) -> Commit:
        """The first that has the later results."""
        return self.commits[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisection:
    """The whole answer: what reports are made of."""

    order: Order
    exit_code: ExitCode
    summary: str
    reason: str
    """Why there is no answer; else empty."""
    good: Commit
    bad: Commit
    between: int
    """Commits after the good one up to the bad one along the path that was searched."""
    audited: tuple[Audited, ...]
    """In the order of their audits."""
    changes: tuple[Change, ...] = ()
    """In the order of the path."""
    more: bool = False
    """There are more changes in the range."""
    seconds: float
    directory: Path
