"""The history of what was audited: one row for each audit, under its target."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from reprocheck.commands.report.record import Record, Runs
from reprocheck.compare.rates import wilson
from reprocheck.errors import ExitCode
from reprocheck.model import Verdict


class Results(str, Enum):
    """The results of an audit against those of the audit of the same target before it."""

    FIRST = "first"
    """Nothing before it can be compared: it is the first, or was asked for or made in another way."""
    SAME = "same"
    CHANGED = "changed"
    UNKNOWN = "unknown"
    """One of the two has no verdict, or its runs differ among themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One audit in the history of its target."""

    record: Record
    results: Results


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often the runs of audits differed that were made alike. Audits without an answer do not count."""

    numerical_class: str
    command: str
    audits: int
    differed: int
    first: Record | None
    """The first in which they did."""

    @property
    def interval(self) -> tuple[float, float]:
        """Between which rates the true one lies with a confidence of 95 %."""
        return wilson(self.differed, self.audits)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlakyCommit:
    """A commit, without changes since, of which audits that were made alike came to both answers."""

    commit: str
    numerical_class: str
    audits: int
    differed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One target."""

    target: str
    entries: tuple[Entry, ...]
    """The newest first."""
    rates: tuple[Rate, ...] = ()
    flaky: tuple[FlakyCommit, ...] = ()

    @property
    def first_differed(self) -> Record | None:
        """The first audit whose runs differed."""
        return next((one.record for one in reversed(self.entries) if one.record.runs is Runs.DIFFER), None)

    @property
    def since(self) -> tuple[Record, Record | None] | None:
        """Where the runs differ now: the first audit of the last stretch in which they did, and the one before it that
        reproduced, if there is one."""
        records = [entry.record for entry in self.entries]
        if not records or records[0].verdict is not Verdict.DIFFERENT:
            return None
        first = records[0]
        for record in records:
            if record.verdict is Verdict.REPRODUCIBLE:
                return first, record
            first = record if record.verdict is Verdict.DIFFERENT else first
        return first, None


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """All audits that an evidence folder or a history holds."""

    folder: Path
    history: Path | None = None
    histories: tuple[History, ...]
    """The target that was audited last comes first."""
    unreadable: tuple[tuple[str, str], ...]
    """Audits whose report could not be read, and why."""

    @property
    def exit_code(self) -> ExitCode:
        """Whatever the audits came to: an index only shows them."""
        return ExitCode.OK
