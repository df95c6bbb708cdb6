"""The options of `reprocheck vary` → an order; the formats of its answer."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.commands.vary.answer import VaryOrder
from reprocheck.commands.vary.answer import vary as answer
from reprocheck.commands.vary.json import render_list_json, render_vary_json
from reprocheck.commands.vary.text import render_list_text, render_vary_text
from reprocheck.commands.vary.variations import choose
from reprocheck.engine.console import Style
from reprocheck.model import Request
from reprocheck.report.formats import formats_of

__all__ = ["FORMATS", "LISTS", "answer", "make_vary_order"]

FORMATS = formats_of("vary", text=render_vary_text, json=render_vary_json)


def _list_text(_: None, style: Style) -> str:
    return render_list_text(style)


def _list_json(_: None, style: Style) -> str:
    return render_list_json(style)


LISTS = formats_of("vary --list", text=_list_text, json=_list_json)


def make_vary_order(request: Request, only: Sequence[str], skip: Sequence[str], required: Sequence[str]) -> VaryOrder:
    """Check what only this command takes. Raises UsageError."""
    return VaryOrder(
        request=request,
        only=choose("--only", only),
        skip=choose("--skip", skip),
        required=choose("--require", required),
    )
