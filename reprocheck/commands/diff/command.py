"""`reprocheck diff A B`: arguments → sides → answer → report."""

from __future__ import annotations

from pathlib import Path

from reprocheck.commands.diff.compare import diff_sides
from reprocheck.commands.diff.document import diff_document
from reprocheck.commands.diff.json import render_diff_json
from reprocheck.commands.diff.model import Diff
from reprocheck.commands.diff.sides import best_pair, open_sides
from reprocheck.model.tolerance import Tolerance
from reprocheck.report.formats import formats_of

FORMATS = formats_of(document=diff_document, json=render_diff_json)


def diff_audits(a: str, b: str, evidence: Path, tolerance: Tolerance) -> Diff:
    """Compare what two arguments name. Raises UsageError."""
    return diff_sides(*best_pair(open_sides(a, evidence), open_sides(b, evidence)), tolerance)
