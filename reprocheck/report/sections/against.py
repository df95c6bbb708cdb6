"""The comparison with another revision: where the two part, both lines, and what it does to the metrics."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from reprocheck.diagnosis.rules.difference_pages import MOVED
from reprocheck.engine.console import clip
from reprocheck.model import Against, Audit, Change, Divergence, Location, SeedAudit, Verdict
from reprocheck.model.explanation import Frame
from reprocheck.model.places import place_text
from reprocheck.report.document import Block, Diagnostic, Evidence, Note, Place, evidence, indented
from reprocheck.report.sections.diagnostics import gutter, head, helps, place, source
from reprocheck.report.sections.difference import MOST_TENSORS, origin_notes, origin_rows, tensor_blocks, where
from reprocheck.report.wording import count, first_of

_MOST_WITH_AN_ORIGIN = 3
_MOST_CHANGES = 5


def against_blocks(audit: Audit, seed_table: Callable[[SeedAudit], list[Block]]) -> list[Block]:
    """The other revision's runs, where they give no ground to compare with."""
    against = audit.against
    if against is None or not against.reason:
        return []
    blocks: list[Block] = [f"not compared with {_name(against)}: {clip(against.reason)}"]
    for seed in against.seeds:
        if seed.verdict is not Verdict.REPRODUCIBLE:
            blocks += indented(seed_table(seed))
    # A verdict that could not be given has its reason at the head of the report.
    return blocks if len(blocks) > 1 or audit.verdict is not Verdict.NO_VERDICT else []


def moved_blocks(audit: Audit, whys: Sequence[str]) -> list[Block]:
    """The first difference from the other revision. `whys` is what the traced runs showed."""
    against = audit.against
    finding = next((finding for finding in audit.findings if finding.code == MOVED), None)
    if against is None or against.divergence is None or finding is None:
        return []
    divergence = against.divergence
    blocks: list[Block] = [
        (head(finding.severity, MOVED), f": {clip(finding.message)} in {_seeds(against)}"),
        *_both_lines(against, divergence),
        *evidence(_difference(audit, divergence)),
        *(Note("note", clip(shift)) for shift in finding.evidence),
    ]
    origin = None if audit.explanation is None else audit.explanation.origin
    notes = [divergence.note, *([] if origin is None else origin_notes(origin, divergence)), *_changes(against)]
    blocks += [Note("note", clip(note)) for note in notes if note]
    blocks += [Note("note", why) for why in whys]
    return [Diagnostic((*blocks, *helps(finding.help)))]


def opening(audit: Audit) -> str:
    """What stands behind the verdict; empty without another revision, or where this side speaks for itself."""
    against = audit.against
    if against is None or audit.verdict is Verdict.NO_VERDICT or any(seed.divergence for seed in audit.seeds):
        return ""
    if against.verdict is Verdict.DIFFERENT:
        allowed = " (--allow-different)" if against.allowed else ""
        return f"the results changed since {_name(against)} in {_seeds(against)}{allowed}"
    if against.verdict is Verdict.REPRODUCIBLE:
        return f"no difference from {_name(against)} observed in {count(len(against.seeds), 'seed')}"
    return f"not compared with {_name(against)}: {clip(against.reason)}"


def _name(against: Against) -> str:
    return f"{clip(against.text)} ({clip(against.commit[:9])})"


def _seeds(against: Against) -> str:
    return f"{len(against.differing)} of {count(len(against.seeds), 'seed')}"


def _both_lines(against: Against, divergence: Divergence) -> list[Block]:
    """The place in the current state with its line, and below it that of the other revision."""
    found = f"first {clip(where(divergence))}"
    gone = {change.here for change in against.changes if not change.after}
    absent = {change.base for change in against.changes if not change.before}
    blocks: list[Block] = [Place(found)]
    if against.here is not None:
        line = gutter(against.here.location)
        blocks = [Place(f"{place(against.here.location)}, {found}", line), *_source(against.here, gone)]
    if against.base is not None:
        # The path is shown as git writes it, so that it can be handed to `git show`.
        base = against.base.location
        blocks += [
            Place(place_text(clip(base.path), base.line), gutter(base), mark=":::"),
            *_source(against.base, absent),
        ]
    return blocks


def _source(frame: Frame, nothing: Collection[Location]) -> list[Block]:
    """The line, or that there is none: it was added, or it is gone."""
    if not frame.code and frame.location in nothing:
        return [Evidence(("", "(nothing there)", ""))]
    return source(frame.location, frame.code)


def _difference(audit: Audit, divergence: Divergence) -> list[Block]:
    """The operation at which the revisions part, and the tensors."""
    origin = None if audit.explanation is None else audit.explanation.origin
    names = first_of([f"`{clip(name)}`" for name in divergence.names], MOST_TENSORS)
    if origin is None:
        return tensor_blocks(divergence.tensors, MOST_TENSORS) or ([names] if names else [])
    rows = origin_rows(origin, divergence.location, "" if divergence.tensors else names)
    return [rows, *tensor_blocks(divergence.tensors, _MOST_WITH_AN_ORIGIN)]


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
    return place_text(name, change.here.line)
