"""The index of audits for a person: what each target came to, since when its runs differ, and how often."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.commands.report.model import Entry, History, Index, Rate, Results
from reprocheck.commands.report.record import Record
from reprocheck.engine.console import clip
from reprocheck.model import Verdict
from reprocheck.report.document import Block, Document, Heading, Role, Span, Table, Text, document, indented
from reprocheck.report.wording import count, shown_path

MOST_ROWS = 50
"""Audits of a target that are listed."""
MOST_COMMITS = 10
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
    held = clip(shown_path(index.folder))
    if index.history is None:
        opening = f"{count(audits, 'kept audit')} of {targets} in {held}"
    else:
        opening = f"{count(audits, 'audit')} of {targets} in {clip(shown_path(index.history))} and {held}"
    return document(
        "reprocheck report --index",
        [opening],
        *(_history(history) for history in index.histories),
        [
            f"not read: {clip(name)}: {clip(why)}" if name else f"not read: {clip(why)}"
            for name, why in index.unreadable
        ],
        _legend(index),
    )


def _history(history: History) -> list[Block]:
    classes = list(dict.fromkeys(entry.record.numerical_class for entry in history.entries))
    several = len(classes) > 1
    shown = history.entries[:MOST_ROWS]
    rows = tuple(
        (*_row(entry), *([_numbered(entry.record.numerical_class, classes)] if several else [])) for entry in shown
    )
    left_out = len(history.entries) - len(shown)
    known: list[Block] = [
        f"class{f' {number}' if several else ''}: {clip(name) or 'not known'}" for number, name in enumerate(classes, 1)
    ]
    more = [f"and {count(left_out, 'earlier audit')}"] if left_out else []
    table = Table(rows, (*_HEAD, "class") if several else _HEAD)
    blocks = [*_since(history), *_flakiness(history, classes), table, *more, *known]
    return [Heading(clip(history.target)), *indented(blocks)]


def _numbered(name: str, classes: Sequence[str]) -> str:
    return f"class {classes.index(name) + 1}"


def _flakiness(history: History, classes: Sequence[str]) -> list[Block]:
    """How often runs of one audit differed, where, and since when."""
    judged, differed = (sum(getattr(rate, name) for rate in history.rates) for name in ("audits", "differed"))
    first = history.first_differed
    if first is None or not differed:
        low_high = f" ({_interval(history.rates[0])})" if len(history.rates) == 1 else ""
        return [f"runs differed in none of {count(judged, 'audit')}{low_high}"] if judged else []
    blocks: list[Block] = [
        f"runs differed in {differed} of {count(judged, 'audit')}; first at {_time(first)}{_at(first)}"
    ]
    differing = list(dict.fromkeys(rate.numerical_class for rate in history.rates if rate.differed))
    others = [rate for rate in history.rates if rate.numerical_class not in differing]
    if others:
        where = " and ".join(_numbered(name, classes) for name in differing)
        blocks.append(f"seen in {where} alone: none of {count(sum(rate.audits for rate in others), 'audit')} elsewhere")
    for one in history.flaky[:MOST_COMMITS]:
        inside = f" in {_numbered(one.numerical_class, classes)}" if len(classes) > 1 else ""
        blocks.append(
            f"flaky at commit {one.commit[:_COMMIT]}{inside}: runs differed in {one.differed} of {one.audits} audits"
        )
    left_out = len(history.flaky) - MOST_COMMITS
    blocks += [f"and at {count(left_out, 'other commit')}"] if left_out > 0 else []
    commands = list(dict.fromkeys(rate.command for rate in history.rates))
    several = len(classes) > 1
    head: list[Text] = [*(["class"] if several else []), "audits", "differed", "rate (95 %)"]
    head += ["command"] if len(commands) > 1 else []
    rows: list[tuple[Text, ...]] = []
    for rate in sorted(history.rates, key=lambda rate: classes.index(rate.numerical_class))[:MOST_ROWS]:
        row: list[Text] = [_numbered(rate.numerical_class, classes)] if several else []
        row += [str(rate.audits), str(rate.differed), _interval(rate)]
        rows.append((*row, *([Span(clip(rate.command), Role.CODE)] if len(commands) > 1 else [])))
    return [*blocks, Table(tuple(rows), tuple(head), right=(1, 2) if several else (0, 1))]


def _interval(rate: Rate) -> str:
    low, high = rate.interval
    return f"{100 * low:.1f} % to {100 * high:.1f} %"


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


def _row(row: Entry) -> tuple[Text, ...]:
    entry = row.record
    word = entry.verdict.value.replace("_", " ")
    what = "; ".join(clip(part) for part in ([entry.where] if entry.where else []) + list(entry.causes)) or "-"
    results: Text = _RESULTS[row.results]
    if row.results is Results.CHANGED:
        results = Span("changed", Role.WARNING)
    return (
        _time(entry),
        (Span(word, _ROLES[entry.verdict]), " *" if _is_limited(entry) else ""),
        what,
        results,
        _commit(entry) or "-",
        clip(entry.name),
    )


def _is_limited(entry: Record) -> bool:
    """Its verdict does not hold for all that the target made."""
    return entry.headline not in ("", entry.verdict.value.replace("_", " ").upper())


def _time(entry: Record) -> str:
    return clip(entry.started[:19].replace("T", " "))


def _commit(entry: Record) -> str:
    return clip(entry.commit[:_COMMIT]) + (" with changes" if entry.changed else "")


def _at(entry: Record) -> str:
    return f" (commit {_commit(entry)})" if entry.commit else ""


def _legend(index: Index) -> list[Block]:
    entries: Sequence[Record] = [entry.record for history in index.histories for entry in history.entries]
    lines: list[Block] = [
        "results: those of the first run of each seed, against the audit before with the same options"
    ]
    if any(rate.differed for history in index.histories for rate in history.rates):
        lines.append(
            "rate: of audits whose runs differ, by Wilson's score interval; audits without an answer do not count"
        )
    if any(map(_is_limited, entries)):
        lines.append("*: in what was compared; `reprocheck report AUDIT` says what was not")
    return lines
