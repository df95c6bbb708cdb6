"""The comparison with another revision: where the two part, both lines, and what it does to the metrics."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from reprocheck.diagnosis.rules.difference import MOVED
from reprocheck.engine.console import Pen
from reprocheck.model import Against, Audit, Change, Divergence, Location, SeedAudit, Verdict
from reprocheck.model.explanation import Frame
from reprocheck.report.text.diagnostics import Margin, head, place
from reprocheck.report.text.difference import MOST_TENSORS, origin_lines, origin_notes, tensor_lines, where
from reprocheck.report.wording import count, first_of

_MOST_WITH_AN_ORIGIN = 3
_MOST_CHANGES = 5


def against_lines(audit: Audit, pen: Pen, seed_table: Callable[[SeedAudit, Pen], list[str]]) -> list[str]:
    """The other revision's runs, where they give no ground to compare with."""
    against = audit.against
    if against is None or not against.reason:
        return []
    lines = [f"not compared with {_name(against, pen)}: {pen.text(against.reason)}"]
    for seed in against.seeds:
        if seed.verdict is not Verdict.REPRODUCIBLE:
            lines += [f"  {line}" for line in seed_table(seed, pen)]
    # A verdict that could not be given has its reason at the head of the report.
    return lines if len(lines) > 1 or audit.verdict is not Verdict.NO_VERDICT else []


def moved_lines(audit: Audit, pen: Pen, whys: Sequence[str]) -> list[str]:
    """The first difference from the other revision. `whys` is what the traced runs showed."""
    against = audit.against
    finding = next((finding for finding in audit.findings if finding.code == MOVED), None)
    if against is None or against.divergence is None or finding is None:
        return []
    divergence = against.divergence
    margin = Margin.behind(*(frame.location.line for frame in (against.here, against.base) if frame is not None))
    lines = [f"{head(finding.severity, MOVED, pen)}: {pen.text(finding.message)} in {_seeds(against)}"]
    lines += _both_lines(against, divergence, margin, pen)
    lines += [margin.bar(line) for line in _difference(audit, divergence, pen)]
    lines += [margin.note(pen.text(shift)) for shift in finding.evidence]
    origin = None if audit.explanation is None else audit.explanation.origin
    notes = [divergence.note, *([] if origin is None else origin_notes(origin, divergence)), *_changes(against)]
    lines += [margin.note(pen.text(note)) for note in notes if note]
    lines += [margin.note(why) for why in whys]
    return lines + [margin.help(pen.text(line)) for line in finding.help.splitlines() if line.strip()]


def opening(audit: Audit, pen: Pen) -> str:
    """What stands behind the verdict; empty without another revision, or where this side speaks for itself."""
    against = audit.against
    if against is None or audit.verdict is Verdict.NO_VERDICT or any(seed.divergence for seed in audit.seeds):
        return ""
    if against.verdict is Verdict.DIFFERENT:
        allowed = " (--allow-different)" if against.allowed else ""
        return f"the results changed since {_name(against, pen)} in {_seeds(against)}{allowed}"
    if against.verdict is Verdict.REPRODUCIBLE:
        return f"no difference from {_name(against, pen)} observed in {count(len(against.seeds), 'seed')}"
    return f"not compared with {_name(against, pen)}: {pen.text(against.reason)}"


def _name(against: Against, pen: Pen) -> str:
    return f"{pen.text(against.text)} ({pen.text(against.commit[:9])})"


def _seeds(against: Against) -> str:
    return f"{len(against.differing)} of {count(len(against.seeds), 'seed')}"


def _both_lines(against: Against, divergence: Divergence, margin: Margin, pen: Pen) -> list[str]:
    """The place in the current state with its line, and below it that of the other revision."""
    found = f"first {pen.text(where(divergence))}"
    gone = {change.here for change in against.changes if not change.after}
    absent = {change.base for change in against.changes if not change.before}
    if against.here is None:
        lines = [margin.arrow(found)]
    else:
        lines = [
            margin.arrow(f"{place(against.here.location, pen)}, {found}"),
            *_source(against.here, gone, margin, pen),
        ]
    if against.base is not None:
        # The path is shown as git writes it, so that it can be handed to `git show`.
        name = f"{pen.text(against.base.location.path)}:{against.base.location.line}"
        lines += [margin.other(name), *_source(against.base, absent, margin, pen)]
    return lines


def _source(frame: Frame, nothing: Collection[Location], margin: Margin, pen: Pen) -> list[str]:
    """The line, or that there is none: it was added, or it is gone."""
    if not frame.code and frame.location in nothing:
        return [margin.bar(), margin.bar("(nothing there)"), margin.bar()]
    return margin.source(frame.location.line, pen.text(frame.code))


def _difference(audit: Audit, divergence: Divergence, pen: Pen) -> list[str]:
    """The operation at which the revisions part, and the tensors."""
    origin = None if audit.explanation is None else audit.explanation.origin
    names = first_of([f"`{pen.text(name)}`" for name in divergence.names], MOST_TENSORS)
    if origin is None:
        return tensor_lines(divergence.tensors, MOST_TENSORS, pen) or ([names] if names else [])
    shown = "" if divergence.tensors else names
    lines = origin_lines(origin, divergence.location, shown, pen)
    return lines + tensor_lines(divergence.tensors, _MOST_WITH_AN_ORIGIN, pen)


def _changes(against: Against) -> list[str]:
    """What was changed in all, so that a reader can judge what the line above stands for."""
    code = against.changes
    if len(code) == 1 and not against.other_files:
        return ["it is the only change in the code that ran"]
    notes = []
    if code:
        notes.append(
            f"changed in the code that ran: {first_of([_change_text(change) for change in code], _MOST_CHANGES)}"
        )
    if against.other_files:
        notes.append(f"also changed or new: {first_of(list(against.other_files), _MOST_CHANGES)}")
    if not code:
        notes.append("nothing was changed in the Python code that ran")
    return notes


def _change_text(change: Change) -> str:
    name = change.base.path.split(":", 1)[-1]
    return f"{name}:{change.here.line}"
