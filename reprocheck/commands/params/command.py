"""The words of `reprocheck params` → an answer; its formats."""

from __future__ import annotations

from collections.abc import Callable

from reprocheck.commands.params.json import render_params_json
from reprocheck.commands.params.model import Params
from reprocheck.commands.params.text import render_params_text
from reprocheck.engine.console import Style

FORMATS: dict[str, Callable[[Params, Style], str]] = {"json": render_params_json, "text": render_params_text}
