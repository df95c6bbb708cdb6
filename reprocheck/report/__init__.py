"""Audit, style → text, for every format. No streams here: write.py owns them."""

from __future__ import annotations

from collections.abc import Callable

from reprocheck.console import Style
from reprocheck.model import Audit
from reprocheck.report.json_v1 import render_json
from reprocheck.report.text import render_text

Render = Callable[[Audit, Style], str]

FORMATS: dict[str, Render] = {"json": render_json, "text": render_text}
"""Name → render function; `checks.FORMATS` names the same (tested)."""
