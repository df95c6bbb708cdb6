"""The index of kept audits for a person: what each target came to, and since when its runs differ."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.commands.report.model import Entry, History, Index, Results
from reprocheck.engine.console import clip
from reprocheck.model import Verdict
from reprocheck.report.document import Block, Document, Heading, Role, Span, Table, Text, document, indented
from reprocheck.report.wording import count, shown_path

_HEAD = ("started", "verdict", "first difference, causes", "results", "commit", "audit")
_ROLES = {
    Verdict.REPRODUCIBLE: Role.SUCCESS,
    Verdict.DIFFERENT: Role.ERROR,
    Verdict.NO_VERDICT: Role.WARNING,
}
_RESULTS = {Results.FIRST: "-", Results.SAME: "as before", Results.CHANGED: "changed", Results.UNKNOWN: "not known"}
_COMMIT = 9


def index_document(index: Index) -> Document:
    """The whole index."""
    audits = sum(len(history.entries) for history in index.histories)
    targets = count(len(index.histories), "target")
    return document(
        "reprocheck report --index",
        [f"{count(audits, 'kept audit')} of {targets} in {clip(shown_path(index.folder))}"],
        *(_history(history) for history in index.histories),
        [f"not read: {clip(name)}: {clip(why)}" for name, why in index.unreadable],
        _legend(index),
    )


def _history(history: History) -> list[Block]:
    classes = list(dict.fromkeys(entry.numerical_class for entry in history.entries))
    several = len(classes) > 1
    rows = tuple(
        (*_row(entry), *([f"class {classes.index(entry.numerical_class) + 1}"] if several else []))
        for entry in history.entries
    )
    known: list[Block] = [
        f"class{f' {number}' if several else ''}: {clip(name) or 'not known'}" for number, name in enumerate(classes, 1)
    ]
    table = Table(rows, (*_HEAD, "class") if several else _HEAD)
    return [Heading(clip(history.target)), *indented([*_since(history), table, *known])]


def _since(history: History) -> list[Block]:
    """When it began to differ, and what else changed then."""
    found = history.since
    if found is None:
        return []
    first, before = found
    since = f"differs since {_time(first)}{_at(first)}"
    if before is None:
        return [f"{since}: no kept audit before it reproduced"]
    changed = []
    if before.commit != first.commit:
        changed.append("the commit")
    if before.numerical_class != first.numerical_class:
        changed.append("the numerical class")
    also = f"; what changed between them: {' and '.join(changed)}" if changed else ""
    return [f"{since}; reproduced last at {_time(before)}{_at(before)}{also}"]


def _row(entry: Entry) -> tuple[Text, ...]:
    word = entry.verdict.value.replace("_", " ")
    what = "; ".join(clip(part) for part in ([entry.where] if entry.where else []) + list(entry.causes)) or "-"
    results: Text = _RESULTS[entry.results]
    if entry.results is Results.CHANGED:
        results = Span("changed", Role.WARNING)
    return (
        _time(entry),
        (Span(word, _ROLES[entry.verdict]), " *" if _is_limited(entry) else ""),
        what,
        results,
        _commit(entry) or "-",
        clip(entry.name),
    )


def _is_limited(entry: Entry) -> bool:
    """Its verdict does not hold for all that the target made."""
    return entry.headline not in ("", entry.verdict.value.replace("_", " ").upper())


def _time(entry: Entry) -> str:
    return clip(entry.started[:19].replace("T", " "))


def _commit(entry: Entry) -> str:
    return clip(entry.commit[:_COMMIT]) + (" with changes" if entry.changed else "")


def _at(entry: Entry) -> str:
    return f" (commit {_commit(entry)})" if entry.commit else ""


def _legend(index: Index) -> list[Block]:
    entries: Sequence[Entry] = [entry for history in index.histories for entry in history.entries]
    lines: list[Block] = [
        "results: those of the first run of each seed, against the audit before with the same options"
    ]
    if any(map(_is_limited, entries)):
        lines.append("*: in what was compared; `reprocheck report AUDIT` says what was not")
    return lines
