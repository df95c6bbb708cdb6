"""`reprocheck diff A B`: words → sides → answer → report."""

from __future__ import annotations

from pathlib import Path

from reprocheck.commands.diff.compare import diff_sides
from reprocheck.commands.diff.json import render_diff_json
from reprocheck.commands.diff.model import Diff
from reprocheck.commands.diff.sides import best_pair, open_sides
from reprocheck.commands.diff.text import render_diff_text
from reprocheck.config.checks import shown
from reprocheck.engine.console import Style
from reprocheck.errors import UsageError
from reprocheck.model.tolerance import Tolerance

FORMATS = {"json": render_diff_json, "text": render_diff_text}


def check_form(word: str) -> str:
    """The name of a format. Raises UsageError."""
    if word not in FORMATS:
        raise UsageError(f"--format must be {' or '.join(FORMATS)}, not {shown(word)}")
    return word


def diff_audits(a: str, b: str, evidence: Path, tolerance: Tolerance) -> Diff:
    """Compare what two words name. Raises UsageError."""
    return diff_sides(*best_pair(open_sides(a, evidence), open_sides(b, evidence)), tolerance)


def render_diff(diff: Diff, form: str, style: Style) -> str:
    """The report in one of FORMATS."""
    return FORMATS[form](diff, style)
