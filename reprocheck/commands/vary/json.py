"""The answer of `reprocheck vary` as JSON, contract version 1. Within a version keys are only added."""

from __future__ import annotations

import json
from typing import Any

from reprocheck.commands.vary.model import Answer, Row
from reprocheck.commands.vary.variations import VARIATIONS
from reprocheck.engine.console import Style
from reprocheck.protocol.plain_json import Scrub, plain
from reprocheck.report.json.difference import plain_divergence
from reprocheck.report.wording import shown_path, shown_target

VERSION = 1


def render_vary_json(answer: Answer, style: Style) -> str:
    """ASCII JSON: keys sorted, a newline at the end. What no two answers share is in `volatile`."""
    stable = {
        "vary_version": VERSION,
        "exit_code": int(answer.exit_code),
        "summary": answer.summary,
        "reason": answer.reason or None,
        "target": shown_target(answer.request.target),
        "seeds": list(answer.request.seeds),
        "runs": answer.runs,
        "control": plain_divergence(answer.control),
        "rows": [_row(row) for row in answer.rows],
        "together": [_row(row) for row in answer.joint],
        "not_varied": [{"name": item.what, "reason": item.reason} for item in answer.not_varied],
        "required": answer.required,
        "spread": dict(answer.spread),
    }
    volatile: dict[str, Any] = {
        "seconds": answer.seconds,
        "directory": shown_path(answer.directory),
        "last_words": answer.stderr_tail,
        "control": {"seconds": answer.seconds_of_control, "memory": answer.memory_of_control},
        "rows": {"+".join(row.names): {"seconds": row.seconds, "memory": row.memory} for row in answer.rows},
    }
    clean = Scrub(answer.directory).clean(plain(stable))
    return json.dumps({**clean, "volatile": plain(volatile)}, indent=2, sort_keys=True, allow_nan=False) + "\n"


def render_list_json(style: Style) -> str:
    """Every variation."""
    rows = [
        {"name": one.name, "group": one.group, "emulates": one.emulates, "ambient": one.is_environment}
        for one in VARIATIONS
    ]
    return json.dumps({"vary_version": VERSION, "variations": rows}, indent=2, sort_keys=True) + "\n"


def _row(row: Row) -> dict[str, Any]:
    shift = row.shift
    return {
        "names": row.names,
        "group": row.group,
        "status": row.status.value,
        "reason": row.reason or None,
        "divergence": plain_divergence(row.divergence),
        "shift": None
        if shift is None
        else {
            "metric": shift.metric,
            "control": shift.control,
            "here": shift.here,
            "std_over_seeds": shift.std,
            "in_std": shift.in_std,
        },
        "not_compared": [{"what": item.what, "reason": item.reason} for item in row.not_compared],
    }
