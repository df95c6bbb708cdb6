"""Kept audits and a history → the history of each target. Reads reports and lines; executes nothing in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reprocheck.commands.report.flakiness import flaky_commits, rates
from reprocheck.commands.report.kept import read_kept
from reprocheck.commands.report.ledger import Ledger, read_ledger
from reprocheck.commands.report.model import Entry, History, Index, Results
from reprocheck.commands.report.record import Record, record_of
from reprocheck.engine.store import AUDITS, kept_audits
from reprocheck.errors import UsageError
from reprocheck.model import Verdict


def make_index(evidence: Path, history: Path | None = None) -> Index:
    """Every kept audit, and every one that the history holds. Raises UsageError if there is none."""
    folder = evidence / AUDITS
    ledger = Ledger(()) if history is None else read_ledger(history)
    found, unreadable = {record.id: record for record in ledger.records}, list(ledger.unreadable)
    for path in kept_audits(folder):
        try:
            record = record_of(read_kept(path), path.name)
        except UsageError as error:
            unreadable.append((path.name, error.message))
        else:
            found[record.id] = record
    if not found and not unreadable:
        other = "" if history is None else f", nor does {history}"
        raise UsageError(f"{folder} holds no audit{other}", "--evidence DIR names another folder")
    records = sorted(found.values(), key=lambda record: (record.started, record.name))
    targets = dict.fromkeys(record.target for record in reversed(records))
    histories = (_history(target, [record for record in records if record.target == target]) for target in targets)
    return Index(folder=folder, history=history, histories=tuple(histories), unreadable=tuple(unreadable))


def _history(target: str, records: Sequence[Record]) -> History:
    """Of one target, the oldest record first."""
    pairs = zip(records, [None, *records], strict=False)
    entries = [Entry(record=record, results=_results(record, before)) for record, before in pairs]
    return History(target=target, entries=tuple(reversed(entries)), rates=rates(records), flaky=flaky_commits(records))


def _results(record: Record, before: Record | None) -> Results:
    if before is None or before.asked != record.asked:
        return Results.FIRST
    shared = record.results.keys() & before.results.keys()
    if not shared or not all(one.verdict is Verdict.REPRODUCIBLE for one in (record, before)):
        return Results.UNKNOWN
    return Results.SAME if all(record.results[seed] == before.results[seed] for seed in shared) else Results.CHANGED
