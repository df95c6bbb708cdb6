"""What a rule is: a page of documentation, and a pure function from a case to a match. Standard library only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from reprocheck.model import Edit, Finding, Location
from reprocheck.model.explanation import Case, Remedy
from reprocheck.model.kinds import Confidence, Severity

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
HIGH, MEDIUM, LOW = Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW
CONFIDENCES = (HIGH, MEDIUM, LOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What `reprocheck explain` prints of a code, and docs/rules.md holds."""

    code: str
    """Never used again for something else, never renumbered."""
    slug: str
    """The cause, as findings name it."""
    title: str
    """A short phrase; the message of the finding."""
    severity: Severity
    checks: str
    why: str
    example: str
    """Python source."""
    fix: str
    """What to do; the help of the finding."""
    limits: str

    def finding(self, **given: Any) -> Finding:
        """A finding that this page explains; `given`: what the case has otherwise. All findings are made here."""
        own = {"severity": self.severity, "confidence": HIGH, "message": self.title, "help": self.fix}
        return Finding(**{"code": self.code, "cause": self.slug, **own, **given})


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A cause that fits a case, and how surely."""

    confidence: Confidence
    location: Location | None = None
    source: str = ""
    evidence: tuple[str, ...] = ()
    edit: Edit | None = None
    help: str = ""
    """What to do in this case, where the page of the rule would not fit it."""
    calls: tuple[Location, ...] = ()
    """The calls of the user's code that led to the line, innermost first."""
    remedies: tuple[Remedy, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One cause."""

    page: Page
    match: Callable[[Case], Match | None]
    rank: int
    """Of equally sure causes the lowest comes first. Hundreds by kind: 1 operations, 2 seeds, 3 orders, memory and
    leftovers, 4 clocks, 5 races and what only the source shows, 6 notes next to a cause, 7 the training loop."""
    always: bool = False
    """It is also asked where nothing differed."""
    alone: bool = False
    """It is also asked of a run that is compared with nothing (`reprocheck doctor`)."""
    is_cause: bool = True
    """Of a difference; else it names something else that is wrong."""
