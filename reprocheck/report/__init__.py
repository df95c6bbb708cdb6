"""Audit, style → text, for every format. No streams here: write.py owns them."""

from __future__ import annotations

from collections.abc import Callable

from reprocheck.engine.console import Style
from reprocheck.model import Audit
from reprocheck.report.github import render_github
from reprocheck.report.json.v1 import render_json
from reprocheck.report.junit import render_junit
from reprocheck.report.markdown import render_markdown
from reprocheck.report.sarif import render_sarif
from reprocheck.report.text.audit import render_text

Render = Callable[[Audit, Style], str]

FORMATS: dict[str, Render] = {
    "github": render_github,
    "json": render_json,
    "junit": render_junit,
    "markdown": render_markdown,
    "sarif": render_sarif,
    "text": render_text,
}
"""Name → render function; `checks.FORMATS` names the same (tested)."""
