"""The words of `reprocheck params` → an answer; its formats."""

from __future__ import annotations

from collections.abc import Callable

from reprocheck.console import Style
from reprocheck.params.model import Params
from reprocheck.report.params_json import render_params_json
from reprocheck.report.params_text import render_params_text

FORMATS: dict[str, Callable[[Params, Style], str]] = {"json": render_params_json, "text": render_params_text}
