"""What a user names → the audit that its JSON report holds."""

from __future__ import annotations

from pathlib import Path

from reprocheck.compare.baseline.reading import Malformed, read_json, table
from reprocheck.engine.store import REPORT_FILE, find_audit
from reprocheck.errors import UsageError
from reprocheck.model import Audit
from reprocheck.report.json.reading import read_audit

_HINT = "name a folder of .reprocheck/audits, latest, latest~1 or a JSON report of `reprocheck run`"


def open_kept(word: str, evidence: Path) -> Audit:
    """The audit. Raises UsageError."""
    return read_kept(find_audit(word, evidence, _HINT))


def read_kept(path: Path) -> Audit:
    """The audit of a folder or of a report. Raises UsageError."""
    file = path / REPORT_FILE if path.is_dir() else path
    try:
        content = table(read_json(file, "report"), "it")
        if "schema_version" not in content:
            raise Malformed("it is no JSON report of `reprocheck run`")
        return read_audit(content)
    except Malformed as error:
        raise UsageError(f"{file}: {error}", _HINT) from error
