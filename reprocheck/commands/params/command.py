"""The options of `reprocheck params` → an answer; its formats."""

from __future__ import annotations

from reprocheck.commands.params.json import render_params_json
from reprocheck.commands.params.text import render_params_text
from reprocheck.report.formats import formats_of

FORMATS = formats_of("params", text=render_params_text, json=render_params_json)
