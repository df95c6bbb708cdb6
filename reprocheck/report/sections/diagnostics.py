"""Findings as diagnostics: a head, the place, the source line, evidence, notes and help."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from reprocheck.engine.console import clip
from reprocheck.model import Edit, Finding, Location
from reprocheck.model.explanation import TRIED_AND_AGREED, Trial
from reprocheck.model.places import place_text, shown_line
from reprocheck.report.document import Block, Change, Diagnostic, Note, Place, Role, Source, Span, evidence
from reprocheck.report.wording import count, shown_path

MOST_EVIDENCE = 20
_SEVERITIES = {"error": Role.ERROR, "warning": Role.WARNING, "note": Role.NOTE}


def head(severity: str, code: str) -> Span:
    """`error[RC303]`."""
    return Span(f"{clip(severity)}[{clip(code)}]", _SEVERITIES.get(severity, Role.STRONG))


def place(location: Location) -> str:
    """`train.py:41`, `analysis.ipynb cell 7, line 3`."""
    return place_text(clip(shown_path(location.path)), location.line)


def gutter(location: Location) -> int:
    """The number that stands beside its source line."""
    return shown_line(location.path, location.line)


def source(location: Location, code: str) -> list[Block]:
    """A source line; nothing when it is not known."""
    if not code:
        return []
    shown, columns = clip(code), location.columns
    # Where characters were replaced or cut off the columns are of another text.
    is_whole = columns is not None and shown == code and 0 <= columns[0] < columns[1] <= len(code)
    return [Source(gutter(location), shown, columns if is_whole else None)]


def helps(text: str) -> list[Block]:
    """Advice, a note for each line."""
    return [Note("help", clip(line)) for line in text.splitlines() if line.strip()]


def finding_blocks(
    finding: Finding, *, notes: Iterable[str] = (), trials: Sequence[Trial] = (), said: Collection[str] = ()
) -> list[Block]:
    """One finding; `notes` come from the experiments, and what they say in other words is `said`. A changed line that
    works comes before the evidence."""
    edit, location = finding.edit, finding.location
    blocks: list[Block] = [(head(finding.severity, finding.code), f": {clip(finding.message)}")]
    if location is not None:
        blocks.append(Place(place(location), gutter(location)))
        if edit is None or (edit.path, edit.line) != (location.path, location.line):
            blocks += source(location, finding.source)
    change = [] if edit is None else suggestion(edit, trials)
    works = edit is not None and _works(_best(edit, trials))
    blocks += change if works else []
    known = (*said, *([TRIED_AND_AGREED] if works else []))
    left = [item for item in finding.evidence if item not in known]
    shown = [clip(item) for item in left[:MOST_EVIDENCE]]
    left_out = len(left) - MOST_EVIDENCE
    blocks += evidence([*shown, *([f"and {left_out} more"] if left_out > 0 else [])])
    cause = f"cause: {clip(finding.cause)}, " if finding.cause else ""
    blocks.append(Note("note", f"{cause}confidence: {clip(finding.confidence)}"))
    blocks += [Note("note", note) for note in notes]
    blocks += helps(finding.help)
    return [Diagnostic((*blocks, *([] if works else change)))]


def suggestion(edit: Edit, trials: Sequence[Trial]) -> list[Block]:
    """A changed line that is in no file, and what became of it when it was tried."""
    where = place(Location(path=edit.path, line=edit.line))
    before, after = (clip(line) for line in _outdented(edit.before, edit.after))
    note = Note("help", f"suggestion for {where}, {_tried(edit, trials)}")
    change = Change(shown_line(edit.path, edit.line), before, after)
    return [change, note] if _works(_best(edit, trials)) else [note, change]


def is_shown(trial: Trial, shown: Collection[Edit]) -> bool:
    """Whether all that there is to say about a trial stands with its changed line."""
    edits = [edit for remedy in trial.remedies for edit in remedy.edits]
    return _works(trial) and len(trial.remedies) == len(edits) == 1 and edits[0] in shown


def _works(trial: Trial | None) -> bool:
    return trial is not None and trial.works and not any(remedy.hides for remedy in trial.remedies)


def _best(edit: Edit, trials: Sequence[Trial]) -> Trial | None:
    """Of the trials of a changed line the first that works, else the first."""
    tried = [trial for trial in trials if any(edit in remedy.edits for remedy in trial.remedies)]
    return next((trial for trial in tried if trial.works), next(iter(tried), None))


def _tried(edit: Edit, trials: Sequence[Trial]) -> str:
    best = _best(edit, trials)
    if best is None:
        return "not tried"
    among_others = len(best.remedies) > 1 or len(best.remedies[0].edits) > 1
    together = " together with others" if among_others else ""
    if best.failed:
        return f"tried in memory{together} without an answer ({clip(best.failed)})"
    agreed = f"tried in memory{together}: {best.agreed} of {count(best.runs, 'run')} agreed"
    return f"{agreed}; `reprocheck fix` writes it" if _works(best) else agreed


def _outdented(before: str, after: str) -> tuple[str, str]:
    """Both lines without the indentation that they share."""
    shared = 0
    for one, other in zip(before, after):  # noqa: B905 - as far as the shorter one goes
        if one != other or one not in " \t":
            break
        shared += 1
    return before[shared:].rstrip(), after[shared:].rstrip()
