"""The bill of `reprocheck cost` as JSON, contract version 1. Within a version keys are only added."""

from __future__ import annotations

import json
from typing import Any

from reprocheck.commands.cost.model import Bill, Price, Ratio
from reprocheck.engine.console import Style
from reprocheck.protocol.plain_json import Scrub, plain
from reprocheck.report.json.difference import plain_divergence
from reprocheck.report.wording import shown_path, shown_target

VERSION = 1


def render_cost_json(bill: Bill, style: Style) -> str:
    """ASCII JSON: keys sorted, a newline at the end. What was measured is in `volatile`."""
    stable = {
        "cost_version": VERSION,
        "exit_code": int(bill.exit_code),
        "target": shown_target(bill.request.target),
        "seed": bill.request.seeds[0],
        "rounds": bill.rounds,
        "settings": [_setting(price) for price in bill.prices],
        "not_run": [{"name": item.what, "reason": item.reason} for item in bill.not_run],
    }
    volatile: dict[str, Any] = {
        "summary": bill.summary,
        "cheapest": bill.cheapest or None,
        "coverage": bill.coverage,
        "per": bill.per,
        "memory_of": bill.memory_of,
        "fill": _ratio(bill.fill),
        "prices": {price.row.name: _price(price) for price in bill.prices},
        "seconds": bill.seconds,
        "directory": shown_path(bill.directory),
        "last_words": bill.last_words,
    }
    clean = Scrub(bill.directory).clean(plain(stable))
    return json.dumps({**clean, "volatile": plain(volatile)}, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _setting(price: Price) -> dict[str, Any]:
    return {
        "name": price.row.name,
        "what": price.row.what,
        "preset": price.row.preset,
        "seeded": price.row.seeded,
        "runs": price.runs,
        "reproduces": price.reproduces,
        "reason": price.reason or None,
        "divergence": plain_divergence(price.divergence),
    }


def _price(price: Price) -> dict[str, Any]:
    return {
        "seconds": price.seconds,
        "memory": price.memory,
        "time_ratio": _ratio(price.time_ratio),
        "memory_ratio": _ratio(price.memory_ratio),
    }


def _ratio(ratio: Ratio | None) -> dict[str, Any] | None:
    if ratio is None:
        return None
    return {"median": ratio.middle, "low": ratio.low, "high": ratio.high, "differs": ratio.differs}
