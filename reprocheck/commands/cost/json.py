"""The report of `reprocheck cost` as JSON, contract version 1. Within a version keys are only added."""

from __future__ import annotations

import json
from typing import Any

from reprocheck.commands.cost.model import CostReport, Price, Ratio
from reprocheck.engine.console import Style
from reprocheck.protocol.plain_json import Scrub, plain
from reprocheck.report.json.difference import plain_divergence
from reprocheck.report.wording import shown_path, shown_target

VERSION = 1


def render_cost_json(costs: CostReport, style: Style) -> str:
    """ASCII JSON: keys sorted, a newline at the end. What was measured is in `volatile`."""
    stable = {
        "cost_version": VERSION,
        "exit_code": int(costs.exit_code),
        "target": shown_target(costs.request.target),
        "seed": costs.request.seeds[0],
        "rounds": costs.rounds,
        "settings": [_setting(price) for price in costs.prices],
        "not_run": [{"name": item.what, "reason": item.reason} for item in costs.not_run],
    }
    volatile: dict[str, Any] = {
        "summary": costs.summary,
        "cheapest": costs.cheapest or None,
        "coverage": costs.coverage,
        "per": costs.per,
        "memory_of": costs.memory_of,
        "fill": _ratio(costs.fill),
        "prices": {price.row.name: _price(price) for price in costs.prices},
        "seconds": costs.seconds,
        "directory": shown_path(costs.directory),
        "last_words": costs.stderr_tail,
    }
    clean = Scrub(costs.directory).clean(plain(stable))
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
