"""The options of `reprocheck cost` → a cost report; its formats."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.commands.cost.document import cost_document
from reprocheck.commands.cost.json import render_cost_json
from reprocheck.commands.cost.model import CostReport
from reprocheck.commands.cost.prices import price
from reprocheck.commands.cost.rows import choose_rows
from reprocheck.config import checks
from reprocheck.config.checks import Refused
from reprocheck.engine.progress import Progress
from reprocheck.errors import UsageError
from reprocheck.model import Request
from reprocheck.report.formats import formats_of

FORMATS = formats_of(document=cost_document, json=render_cost_json)


def answer(request: Request, rounds: int, only: Sequence[str], progress: Progress) -> CostReport:
    """Check what only this command takes, then make the bill. Raises UsageError."""
    try:
        checks.integer(2, 1000)(rounds)
    except Refused as error:
        raise UsageError(f"--rounds {error.message}", "one run has nothing to be compared with") from None
    return price(request, choose_rows(only), rounds, progress)
