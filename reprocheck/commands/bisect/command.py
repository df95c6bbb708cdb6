"""The options of `reprocheck bisect` → an order → the commits; its formats."""

from __future__ import annotations

from reprocheck.commands.bisect.answer import bisect as answer
from reprocheck.commands.bisect.document import bisect_document
from reprocheck.commands.bisect.json import render_bisect_json
from reprocheck.commands.bisect.model import Criterion, Order
from reprocheck.errors import UsageError
from reprocheck.model import Request
from reprocheck.model.tolerance import Margin
from reprocheck.report.formats import formats_of

FORMATS = formats_of(document=bisect_document, json=render_bisect_json)

__all__ = ["FORMATS", "answer", "make_bisect_order"]


def make_bisect_order(
    request: Request, commits: str, every: bool = False, metric: str | None = None, worse: str | None = None
) -> Order:
    """Check what only this command takes. Raises UsageError."""
    good, dots, bad = commits.partition("..")
    if not dots or not good or bad.startswith("."):
        raise UsageError(
            f"the range {commits!r} is not written as GOOD..BAD",
            "name the last commit with the good results and one with the bad ones: v1.2..HEAD",
        )
    if (metric is None) != (worse is None):
        raise UsageError(
            "--metric and --worse go together", "say how far the metric has to move: --metric loss --worse 1%"
        )
    criterion = None if metric is None or worse is None else Criterion(metric=metric, worse=_margin(worse))
    return Order(request=request, good=good, bad=bad or "HEAD", every=every, criterion=criterion)


def _margin(text: str) -> Margin:
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise UsageError(f"--worse takes a positive number or a percentage, not {text!r}", "for example --worse 1%")
    return Margin(relative=value / 100) if text.endswith("%") else Margin(absolute=value)
