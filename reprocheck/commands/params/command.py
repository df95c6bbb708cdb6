"""The options of `reprocheck params` → an answer; its formats."""

from __future__ import annotations

from reprocheck.commands.params.document import params_document
from reprocheck.commands.params.json import render_params_json
from reprocheck.report.formats import formats_of

FORMATS = formats_of(document=params_document, json=render_params_json)
