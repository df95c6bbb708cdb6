"""The history of what was audited: one row for each kept audit, under its target. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

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
    """One kept audit."""

    name: str
    """Of its folder."""
    started: str
    """ISO 8601."""
    verdict: Verdict
    headline: str
    where: str
    """The first difference in words; empty without one."""
    causes: tuple[str, ...]
    """Codes and places of the causes that were found."""
    seeds: int
    commit: str
    """Empty outside of a repository."""
    changed: bool
    """Files of the repository were changed since that commit."""
    numerical_class: str
    results: Results


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One target."""

    target: str
    entries: tuple[Entry, ...]
    """The newest first."""

    @property
    def since(self) -> tuple[Entry, Entry | None] | None:
        """Where the runs differ now: the first audit of the last stretch in which they did, and the one before it that
        reproduced, if there is one."""
        if not self.entries or self.entries[0].verdict is not Verdict.DIFFERENT:
            return None
        first = self.entries[0]
        for entry in self.entries:
            if entry.verdict is Verdict.REPRODUCIBLE:
                return first, entry
            first = entry if entry.verdict is Verdict.DIFFERENT else first
        return first, None


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """All kept audits of one evidence folder."""

    folder: Path
    histories: tuple[History, ...]
    """The target that was audited last comes first."""
    unreadable: tuple[tuple[str, str], ...]
    """Audits whose report could not be read, and why."""

    @property
    def exit_code(self) -> ExitCode:
        """Whatever the audits came to: an index only shows them."""
        return ExitCode.OK
