"""The index of kept audits as JSON."""

from __future__ import annotations

import dataclasses
import json

from reprocheck.commands.report.model import Entry, Index, Rate
from reprocheck.commands.report.record import Record
from reprocheck.engine.console import Style
from reprocheck.protocol.plain_json import plain

INDEX_VERSION = 1


def render_index_json(index: Index, style: Style) -> str:
    """ASCII JSON: keys sorted, a newline at the end."""
    content = {
        "index_version": INDEX_VERSION,
        "folder": index.folder,
        "history": index.history,
        "targets": [
            {
                "target": history.target,
                "audits": [_entry(entry) for entry in history.entries],
                "rates": [_rate(rate) for rate in history.rates],
                "flaky_commits": [dataclasses.asdict(one) for one in history.flaky],
                "first_differed": None if history.first_differed is None else _at(history.first_differed),
            }
            for history in index.histories
        ],
        "not_read": [{"audit": name, "reason": reason} for name, reason in index.unreadable],
    }
    return json.dumps(plain(content), indent=2, sort_keys=True, allow_nan=False) + "\n"


def _rate(rate: Rate) -> dict[str, object]:
    low, high = rate.interval
    return {
        "numerical_class": rate.numerical_class or None,
        "command": rate.command,
        "audits": rate.audits,
        "differed": rate.differed,
        "low": low,
        "high": high,
        "first_differed": None if rate.first is None else _at(rate.first),
    }


def _at(record: Record) -> dict[str, object]:
    return {"audit": record.name, "started": record.started, "commit": record.commit or None}


def _entry(row: Entry) -> dict[str, object]:
    entry = row.record
    return {
        "audit": entry.name,
        "started": entry.started,
        "verdict": entry.verdict,
        "headline": entry.headline,
        "first_difference": entry.where or None,
        "causes": entry.causes,
        "seeds": entry.seeds,
        "commit": entry.commit or None,
        "changed_files": entry.changed,
        "numerical_class": entry.numerical_class or None,
        "results": row.results,
        "runs": entry.runs,
        "command": entry.command,
    }
