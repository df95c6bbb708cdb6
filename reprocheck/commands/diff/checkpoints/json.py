"""The answer as JSON, contract version 1. Within a version keys are only added."""

from __future__ import annotations

import json
from typing import Any

from reprocheck.commands.diff.checkpoints.model import Checkpoint, CheckpointDiff, Difference
from reprocheck.engine.console import Style
from reprocheck.protocol.plain_json import plain
from reprocheck.report.json.difference import plain_values

VERSION = 1


def render_checkpoints_json(diff: CheckpointDiff, style: Style) -> str:
    """ASCII JSON: keys sorted, a newline at the end."""
    content = {
        "checkpoint_diff_version": VERSION,
        "exit_code": int(diff.exit_code),
        "summary": diff.summary,
        "a": _side(diff.a),
        "b": _side(diff.b),
        "same_tensors": diff.same,
        "differences": [_difference(one) for one in diff.differences],
        "layout": list(diff.layout),
    }
    return json.dumps(plain(content), indent=2, sort_keys=True, allow_nan=False) + "\n"


def _side(side: Checkpoint) -> dict[str, Any]:
    return {
        "name": side.name,
        "kind": side.kind,
        "tensors": len(side.tensors),
        "values": len(side.values),
        "unread": list(side.unread),
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "name": one.name,
        "a": one.a or None,
        "b": one.b or None,
        "values": plain_values(one.values),
        "reason": one.reason or None,
    }
