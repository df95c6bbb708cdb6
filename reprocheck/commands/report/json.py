"""The index of kept audits as JSON."""

from __future__ import annotations

import json

from reprocheck.commands.report.model import Entry, Index
from reprocheck.engine.console import Style
from reprocheck.protocol.plain_json import plain

INDEX_VERSION = 1


def render_index_json(index: Index, style: Style) -> str:
    """ASCII JSON: keys sorted, a newline at the end."""
    content = {
        "index_version": INDEX_VERSION,
        "folder": index.folder,
        "targets": [
            {"target": history.target, "audits": [_entry(entry) for entry in history.entries]}
            for history in index.histories
        ],
        "not_read": [{"audit": name, "reason": reason} for name, reason in index.unreadable],
    }
    return json.dumps(plain(content), indent=2, sort_keys=True, allow_nan=False) + "\n"


def _entry(entry: Entry) -> dict[str, object]:
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
        "results": entry.results,
    }
