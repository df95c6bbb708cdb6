"""The words of `reprocheck vary` → an order; the formats of its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reprocheck.console import Style
from reprocheck.model import Request
from reprocheck.report.vary_json import render_list_json, render_vary_json
from reprocheck.report.vary_text import render_list_text, render_vary_text
from reprocheck.vary.answer import VaryOrder
from reprocheck.vary.answer import vary as answer
from reprocheck.vary.model import Answer
from reprocheck.vary.variations import choose

__all__ = ["FORMATS", "LISTS", "answer", "make_vary_order"]

FORMATS: dict[str, Callable[[Answer, Style], str]] = {"json": render_vary_json, "text": render_vary_text}
LISTS: dict[str, Callable[[Style], str]] = {"json": render_list_json, "text": render_list_text}


def make_vary_order(request: Request, only: Sequence[str], skip: Sequence[str], required: Sequence[str]) -> VaryOrder:
    """Check what only this command takes. Raises UsageError."""
    return VaryOrder(
        request=request,
        only=choose("--only", only),
        skip=choose("--skip", skip),
        required=choose("--require", required),
    )
