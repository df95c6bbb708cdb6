"""The values of `reprocheck cost`: settings (Row) → runs (Measured) → prices (Price) → Bill."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reprocheck.errors import ExitCode
from reprocheck.model import Divergence, NotCompared, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One setting, or several that go together, that is priced."""

    name: str
    """Short, unique; as `--only` takes it."""
    what: str
    """As text or as an option."""
    seeded: bool = True
    """reprocheck seeds the generators; without it the target runs as it is."""
    settings: tuple[tuple[str, object], ...] = ()
    """Fields of Settings that it changes."""
    environment: tuple[tuple[str, str], ...] = ()
    overrides: tuple[tuple[str, object], ...] = ()
    """Fields of Interventions that it changes."""
    needs: str = ""
    """What there must be: cuda, mkl or threads."""
    preset: bool = False
    """One of the ready-made combinations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A quantity against that of the plain runs."""

    middle: float
    """Median over rounds."""
    low: float
    high: float
    """Ends of the interval that holds the median."""
    differs: bool
    """The interval is clear of 1 and the median beyond the noise of two plain runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What is known of one row."""

    row: Row
    runs: int
    """Completed runs."""
    reproduces: bool | None
    """None: it cannot be said."""
    reason: str = ""
    """Why it cannot be said, or why it was not run; else empty."""
    divergence: Divergence | None = None
    """The first difference between its runs."""
    seconds: float | None = None
    """Median time of a step over its runs, or of a run where there are too few steps."""
    memory: int | None = None
    """Median of the peaks in bytes."""
    time_ratio: Ratio | None = None
    memory_ratio: Ratio | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """The whole answer: what reports are made of."""

    request: Request
    exit_code: ExitCode
    summary: str
    prices: tuple[Price, ...]
    """`plain` and `plain again` first; the latter's ratios are the noise."""
    cheapest: str
    """The name of the cheapest row that reproduces; empty when none does."""
    rounds: int
    coverage: float
    """Chance with which an interval holds the median."""
    per: str
    """step or run: what the times are of."""
    memory_of: str
    """host or gpu: where the peaks were seen."""
    fill: Ratio | None = None
    """Time with the fill of uninitialized memory against that without, both with deterministic algorithms."""
    not_run: tuple[NotCompared, ...] = ()
    """Rows that cannot apply here, and why."""
    stderr_tail: str = ""
    """Of the plain run that failed."""
    directory: Path = Path()
    seconds: float = 0.0
