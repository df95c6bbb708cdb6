"""The values of `reprocheck fix`: a kept audit → the lines to change → what a further audit says of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reprocheck.errors import ExitCode
from reprocheck.model import Audit, MetricShift
from reprocheck.report.tried import Tried


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One file of a patch."""

    path: Path
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """The whole answer: what reports are made of."""

    name: str
    exit_code: ExitCode
    summary: str
    reason: str = ""
    """Why there is nothing to write; else empty."""
    patch: str = ""
    """As `git apply` takes it."""
    tried: Tried | None = None
    written: bool = False
    """The files are changed."""
    again: Audit | None = None
    """The whole audit with the changed files; None where it was not made."""
    why_not_again: str = ""
    shifts: tuple[MetricShift, ...] = ()
    """What became of the metrics."""
