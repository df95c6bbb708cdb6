"""How often the runs of a target differ, and at which commits they only sometimes do. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

from reprocheck.commands.report.model import FlakyCommit, Rate
from reprocheck.commands.report.record import Record, Runs


def rates(records: Sequence[Record]) -> tuple[Rate, ...]:
    """One for each numerical class and command, in the order in which they were met. The oldest record comes first."""
    found = []
    for group in _groups(records, lambda one: (one.numerical_class, one.command)):
        differing = [one for one in group if one.runs is Runs.DIFFER]
        found.append(
            Rate(
                numerical_class=group[0].numerical_class,
                command=group[0].command,
                audits=len(group),
                differed=len(differing),
                first=differing[0] if differing else None,
            )
        )
    return tuple(found)


def flaky_commits(records: Sequence[Record]) -> tuple[FlakyCommit, ...]:
    """Those of which audits that were made alike came to both answers."""
    clean = [one for one in records if one.commit and not one.changed]
    groups = _groups(clean, lambda one: (one.commit, one.numerical_class, one.command))
    return tuple(
        FlakyCommit(
            commit=group[0].commit,
            numerical_class=group[0].numerical_class,
            audits=len(group),
            differed=sum(one.runs is Runs.DIFFER for one in group),
        )
        for group in groups
        if len({one.runs for one in group}) > 1
    )


def _groups(records: Iterable[Record], key: Callable[[Record], Hashable]) -> list[list[Record]]:
    """Of those with an answer."""
    found: dict[Hashable, list[Record]] = {}
    for one in records:
        if one.runs is not Runs.UNKNOWN:
            found.setdefault(key(one), []).append(one)
    return list(found.values())
