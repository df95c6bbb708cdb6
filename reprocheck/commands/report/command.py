"""`reprocheck report`: a kept audit, or the index of all, in any format."""

from __future__ import annotations

from reprocheck.commands.report.document import index_document
from reprocheck.commands.report.index import make_index
from reprocheck.commands.report.json import render_index_json
from reprocheck.commands.report.kept import open_kept
from reprocheck.report.formats import formats_of

__all__ = ["INDEX_FORMATS", "make_index", "open_kept"]

INDEX_FORMATS = formats_of(document=index_document, json=render_index_json)
