"""`reprocheck bisect`: order → audits where the search asks for them → the commits with which the results change."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.commands.bisect.audits import Audits
from reprocheck.commands.bisect.history import History
from reprocheck.commands.bisect.model import Bisection, Change, Commit, Order
from reprocheck.commands.bisect.search import Step, search
from reprocheck.engine.progress import Progress
from reprocheck.engine.session import Session, session
from reprocheck.engine.templates import Templates
from reprocheck.errors import ExitCode

BISECTIONS = "bisections"
"""Folder of their evidence."""


def bisect(order: Order, progress: Progress) -> Bisection:
    """Find them. Raises UsageError, NoVerdictError or Interrupted."""
    with session(order.request, progress, BISECTIONS) as one:
        history = History(one.planner.cwd)
        path = history.path(history.commit(order.good), history.commit(order.bad))
        with Templates(order.request.isolation) as templates:
            return _Bisect(order, one, history, Audits(one, templates, order.criterion)).answer(path)


class _Bisect:
    def __init__(self, order: Order, session: Session, history: History, audits: Audits) -> None:
        self._order = order
        self._session = session
        self._history = history
        self._audits = audits
        self._more = False

    def answer(self, path: Sequence[Commit]) -> Bisection:
        """Judge both ends, then search between them."""
        reason = self._why_not(path[0], path[-1])
        changes = () if reason else tuple(self._changes(path))
        code = ExitCode.NO_VERDICT if reason else ExitCode.DIFFERENT if changes else ExitCode.OK
        return Bisection(
            order=self._order,
            exit_code=code,
            summary=_summary(path, changes, reason, self._more, len(self._audits.made)),
            reason=reason,
            good=path[0],
            bad=path[-1],
            between=len(path) - 1,
            audited=self._audits.made,
            changes=changes,
            more=self._more,
            seconds=self._session.seconds,
            directory=self._session.folder,
        )

    def _why_not(self, good: Commit, bad: Commit) -> str:
        """Why the ends cannot be compared; else empty."""
        for name, commit in ((self._order.good, good), (self._order.bad, bad)):
            audited = self._audits.audit(commit)
            if audited.reason:
                return f"{name} ({commit.name}) cannot be compared: {audited.reason}"
        self._audits.measure_from(good, bad)
        return ""

    def _changes(self, path: Sequence[Commit], merged_by: Commit | None = None) -> list[Change]:
        """Along a path whose ends can be compared."""
        audits = self._audits
        steps, more = search(
            len(path) - 1,
            lambda place: not audits.audit(path[place]).reason,
            lambda one, other: audits.differ(path[one], path[other]),
            self._order.every,
        )
        self._more = self._more or more
        found = []
        for step in steps:
            found += self._inside_merge(path, step) or [self._change(path, step, merged_by)]
        return found

    def _inside_merge(self, path: Sequence[Commit], step: Step) -> list[Change]:
        """Where the step is a merge: the changes on the branch that it brought in."""
        before, merge = path[step.before], path[step.after]
        if step.after - step.before > 1 or len(merge.parents) < 2:
            return []
        found: list[Change] = []
        for name in merge.parents:
            fork = None if name == before.hash else self._history.fork(before, name)
            if fork is None or fork.hash == name:
                continue
            other = self._history.commit(name)
            if not any(self._audits.audit(end).reason for end in (fork, other)):
                found += self._changes(self._history.path(fork, other), merge)
        return found

    def _change(self, path: Sequence[Commit], step: Step, merged_by: Commit | None) -> Change:
        before, after = path[step.before], path[step.after]
        differing = self._audits.differing(before, after)
        first = next(iter(differing.values()), None)
        return Change(
            before=before,
            commits=tuple(path[step.before + 1 : step.after + 1]),
            divergence=None if first is None else first.divergence,
            seeds=tuple(differing),
            shifts=self._audits.shifts(before, after),
            files=self._history.changed_files(before, after),
            merged_by=merged_by,
            note="a merge: each side alone has other results, or could not be compared" if _is_merge(after) else "",
        )


def _is_merge(commit: Commit) -> bool:
    return len(commit.parents) > 1


def _summary(path: Sequence[Commit], changes: Sequence[Change], reason: str, more: bool, audits: int) -> str:
    if reason:
        return reason
    ran = f"{audits} of {len(path)} commits audited"
    if not changes:
        return f"{path[0].name} and {path[-1].name} have the same results; {ran}"
    names = ", ".join(
        change.commit.name
        if len(change.commits) == 1
        else f"one of {len(change.commits)} commits up to {change.commit.name}"
        for change in changes
    )
    tail = "; there are more changes in the range (--all finds them)" if more else ""
    return f"the results change with {names}; {ran}{tail}"
