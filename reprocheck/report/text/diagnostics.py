"""Diagnostics in cargo's grammar: a head, the place, the source line behind a gutter, evidence, notes and help."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reprocheck.engine.console import Pen
from reprocheck.model import Edit, Finding, Location
from reprocheck.model.explanation import Trial
from reprocheck.report.wording import count, shown_path

MOST_EVIDENCE = 20
_SEVERITIES = {"error": "red", "warning": "yellow", "note": "blue"}


@dataclass(frozen=True, slots=True)
class Margin:
    """Where the bar of a diagnostic stands: behind its longest line number."""

    width: int = 2

    @classmethod
    def behind(cls, *lines: int) -> Margin:
        """The margin of a diagnostic that shows these source lines."""
        return cls(max([2, *(len(str(line)) for line in lines)]))

    def arrow(self, place: str) -> str:
        """The line that says where."""
        return f"{' ' * self.width}--> {place}"

    def other(self, place: str) -> str:
        """The line that says where in another revision."""
        return f"{' ' * self.width}::: {place}"

    def bar(self, text: str = "") -> str:
        """A line of evidence, or an empty one."""
        return f"{' ' * self.width} | {text}".rstrip()

    def note(self, text: str) -> str:
        """A line of explanation."""
        return f"{' ' * self.width} = note: {text}"

    def help(self, text: str) -> str:
        """A line of advice."""
        return f"{' ' * self.width} = help: {text}"

    def source(self, line: int, code: str) -> list[str]:
        """A source line between empty ones; nothing when it is not known."""
        return [self.bar(), f"{line:>{self.width}} | {code}", self.bar()] if code else []

    def change(self, edit: Edit, pen: Pen) -> list[str]:
        """A source line as it is and as it could be."""
        before, after = (pen.text(line) for line in _outdented(edit.before, edit.after))
        return [
            self.bar(),
            pen.paint(f"{edit.line:>{self.width}} - {before}", "red"),
            pen.paint(f"{edit.line:>{self.width}} + {after}", "green"),
            self.bar(),
        ]


def head(severity: str, code: str, pen: Pen) -> str:
    """`error[RC303]`."""
    return pen.paint(f"{pen.text(severity)}[{pen.text(code)}]", _SEVERITIES.get(severity, "bold"))


def place(location: Location, pen: Pen) -> str:
    """`train.py:41`."""
    return f"{pen.text(shown_path(location.path))}:{location.line}"


def finding_lines(
    finding: Finding,
    pen: Pen,
    *,
    notes: Iterable[str] = (),
    trials: Sequence[Trial] = (),
) -> list[str]:
    """One finding; `notes` come from the experiments."""
    edit, location = finding.edit, finding.location
    margin = Margin.behind(*(item.line for item in (location, edit) if item is not None))
    lines = [f"{head(finding.severity, finding.code, pen)}: {pen.text(finding.message)}"]
    if location is not None:
        lines.append(margin.arrow(place(location, pen)))
        if edit is None or (edit.path, edit.line) != (location.path, location.line):
            lines += margin.source(location.line, pen.text(finding.source))
    lines += [margin.bar(pen.text(item)) for item in finding.evidence[:MOST_EVIDENCE]]
    if len(finding.evidence) > MOST_EVIDENCE:
        lines.append(margin.bar(f"and {len(finding.evidence) - MOST_EVIDENCE} more"))
    cause = f"cause: {pen.text(finding.cause)}, " if finding.cause else ""
    lines.append(margin.note(f"{cause}confidence: {pen.text(finding.confidence)}"))
    lines += [margin.note(note) for note in notes]
    lines += [margin.help(pen.text(line)) for line in finding.help.splitlines() if line.strip()]
    return lines + (suggestion(edit, trials, margin, pen) if edit is not None else [])


def suggestion(edit: Edit, trials: Sequence[Trial], margin: Margin, pen: Pen) -> list[str]:
    """A changed line that is in no file, and what became of it when it was tried."""
    where = place(Location(path=edit.path, line=edit.line), pen)
    return [margin.help(f"suggestion for {where}, {_tried(edit, trials, pen)}"), *margin.change(edit, pen)]


def _tried(edit: Edit, trials: Sequence[Trial], pen: Pen) -> str:
    tried = [trial for trial in trials if any(edit in remedy.edits for remedy in trial.remedies)]
    if not tried:
        return "not tried"
    best = next((trial for trial in tried if trial.works), tried[0])
    among_others = len(best.remedies) > 1 or len(best.remedies[0].edits) > 1
    together = " together with others" if among_others else ""
    if best.failed:
        return f"tried in memory{together} without an answer ({pen.text(best.failed)})"
    return f"tried in memory{together}: {best.agreed} of {count(best.runs, 'run')} agreed"


def _outdented(before: str, after: str) -> tuple[str, str]:
    """Both lines without the indentation that they share."""
    shared = 0
    for one, other in zip(before, after):  # noqa: B905 - as far as the shorter one goes
        if one != other or one not in " \t":
            break
        shared += 1
    return before[shared:].rstrip(), after[shared:].rstrip()
