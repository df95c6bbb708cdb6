"""What is compared by `reprocheck diff`, and what it came to. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reprocheck.errors import ExitCode
    from reprocheck.model import Verdict
    from reprocheck.model.baseline import SeedComparison, Snapshot
    from reprocheck.model.tolerance import Tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One saved audit, or one numerical class of a baseline."""

    name: str
    """As the user named it."""
    kind: str
    """`evidence`, `report` or `baseline`."""
    verdict: str
    """Of the audit; empty for a baseline, which holds only what reproduced."""
    asked: Mapping[str, Any]
    """Target and settings, by name."""
    manifest: Mapping[str, Any]
    seeds: Mapping[int, Snapshot]
    notes: tuple[str, ...] = ()

    @property
    def numerical_class(self) -> Mapping[str, Any]:
        """What decides its bits; empty when it does not say."""
        found = self.manifest.get("numerical_class")
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact of both sides, as text; a dash where a side does not have it."""

    name: str
    a: str
    b: str

    @property
    def differs(self) -> bool:
        """The sides do not agree in it."""
        return self.a != self.b


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """The whole answer."""

    a: Side
    b: Side
    verdict: Verdict
    exit_code: ExitCode
    summary: str
    """One sentence."""
    seeds: tuple[SeedComparison, ...]
    asked: tuple[Fact, ...]
    """Target and settings: what differs first."""
    manifest: tuple[Fact, ...]
    """Source, machine and packages: what differs first, and of that first what decides bits."""
    other_class: bool
    """The machines compute other bits for the same training."""
    tolerance: Tolerance
    notes: tuple[str, ...]
