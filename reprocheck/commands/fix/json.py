"""The answer of `reprocheck fix` as JSON, contract version 1. Within a version keys are only added."""

from __future__ import annotations

import json

from reprocheck.commands.fix.model import Fixed
from reprocheck.engine.console import Style
from reprocheck.protocol.plain_json import plain
from reprocheck.report.json.against import plain_shift
from reprocheck.report.wording import shown_path

VERSION = 1


def render_fix_json(fixed: Fixed, style: Style) -> str:
    """ASCII JSON: keys sorted, a newline at the end."""
    again = fixed.again
    content = {
        "fix_version": VERSION,
        "exit_code": int(fixed.exit_code),
        "summary": fixed.summary,
        "reason": fixed.reason or None,
        "patch": fixed.patch,
        "options": [] if fixed.tried is None else list(fixed.tried.options),
        "written": fixed.written,
        "again": None
        if again is None
        else {"verdict": again.verdict.value, "summary": again.summary, "directory": shown_path(again.directory)},
        "why_not_again": fixed.why_not_again or None,
        "shifts": [plain_shift(shift) for shift in fixed.shifts],
    }
    return json.dumps(plain(content), indent=2, sort_keys=True, allow_nan=False) + "\n"
