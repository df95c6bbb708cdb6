"""What weights, layers and memory show, as findings with a code."""

from __future__ import annotations

from collections.abc import Iterable

from reprocheck.commands.params.model import ERROR, NOTE, WARNING, Remark
from reprocheck.diagnosis.rules.start_pages import PAGES
from reprocheck.model import Finding

MOST_NAMES = 6
_PAGES = {page.slug: page for page in PAGES}


def to_findings(remarks: Iterable[Remark]) -> tuple[Finding, ...]:
    """One finding for each, worst first."""
    ordered = sorted(remarks, key=lambda remark: (ERROR, WARNING, NOTE).index(remark.severity))
    return tuple(
        _PAGES[remark.slug].finding(
            severity=remark.severity, message=remark.message, evidence=(_names(remark.names),), help=remark.help
        )
        for remark in ordered
    )


def _names(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
