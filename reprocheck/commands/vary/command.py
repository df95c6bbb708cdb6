"""The options of `reprocheck vary` → an order; the formats of its answer."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.commands.vary.answer import VaryOrder
from reprocheck.commands.vary.answer import vary as answer
from reprocheck.commands.vary.document import list_document, vary_document
from reprocheck.commands.vary.json import render_list_json, render_vary_json
from reprocheck.commands.vary.variations import choose
from reprocheck.engine.console import Style
from reprocheck.model import Request
from reprocheck.report.formats import formats_of

__all__ = ["FORMATS", "LISTS", "answer", "make_vary_order"]

FORMATS = formats_of(document=vary_document, json=render_vary_json)


def _list_json(_: None, style: Style) -> str:
    return render_list_json(style)


LISTS = formats_of(document=list_document, json=_list_json)


def make_vary_order(request: Request, only: Sequence[str], skip: Sequence[str], required: Sequence[str]) -> VaryOrder:
    """Check what only this command takes. Raises UsageError."""
    return VaryOrder(
        request=request,
        only=choose("--only", only),
        skip=choose("--skip", skip),
        required=choose("--require", required),
    )
