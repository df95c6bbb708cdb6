"""Audit, style → text, for every format. No streams here: write.py owns them."""

from __future__ import annotations

from collections.abc import Callable

from reprocheck.engine.console import Style
from reprocheck.model import Audit
from reprocheck.report.comment import comment_document
from reprocheck.report.document import Document
from reprocheck.report.formats import WRITERS
from reprocheck.report.github import render_github
from reprocheck.report.json.v1 import render_json
from reprocheck.report.junit import render_junit
from reprocheck.report.sarif import render_sarif
from reprocheck.report.sections.audit import audit_document
from reprocheck.report.writers.html import write_html
from reprocheck.report.writers.markdown import write_markdown
from reprocheck.report.writers.text import write_text

Render = Callable[[Audit, Style], str]


def render_text(audit: Audit, style: Style) -> str:
    """The whole report."""
    return write_text(audit_document(audit), style)


def render_html(audit: Audit, style: Style) -> str:
    """A page for a browser."""
    return write_html(audit_document(audit), style, render_json(audit, style))


def render_markdown(audit: Audit, style: Style) -> str:
    """A comment on a pull request."""
    return write_markdown(comment_document(audit), style)


def _whole(write: Callable[[Document, Style], str]) -> Render:
    return lambda audit, style: write(audit_document(audit), style)


_FORMATS: dict[str, Render] = {
    **{name: _whole(write) for name, write in WRITERS.items()},
    "github": render_github,
    "html": render_html,
    "json": render_json,
    "junit": render_junit,
    "markdown": render_markdown,
    "sarif": render_sarif,
}
FORMATS = dict(sorted(_FORMATS.items()))
"""Name → render function; `checks.FORMATS` names the same (tested)."""
