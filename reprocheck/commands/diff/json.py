"""The answer of `reprocheck diff` as JSON, contract version 1. Within a version keys are only added."""

from __future__ import annotations

import json
from typing import Any

from reprocheck.commands.diff.model import Diff, Fact, Side
from reprocheck.engine.console import Style
from reprocheck.protocol.plain_json import plain
from reprocheck.report.json.baseline import plain_seed_comparison

VERSION = 1
_VERDICTS = {"reproducible": "same"}


def render_diff_json(diff: Diff, style: Style) -> str:
    """ASCII JSON: keys sorted, a newline at the end."""
    verdict = diff.verdict.value
    content = {
        "diff_version": VERSION,
        "verdict": _VERDICTS.get(verdict, verdict),
        "exit_code": int(diff.exit_code),
        "summary": diff.summary,
        "a": _side(diff.a),
        "b": _side(diff.b),
        "other_class": diff.other_class,
        "tolerance": diff.tolerance.options,
        "seeds": [plain_seed_comparison(one) for one in diff.seeds],
        "asked": [_fact(fact) for fact in diff.asked],
        "manifest": [_fact(fact) for fact in diff.manifest],
        "notes": diff.notes,
    }
    return json.dumps(plain(content), indent=2, sort_keys=True, allow_nan=False) + "\n"


def _side(side: Side) -> dict[str, Any]:
    return {"name": side.name, "kind": side.kind, "verdict": side.verdict or None, "seeds": sorted(side.seeds)}


def _fact(fact: Fact) -> dict[str, Any]:
    return {"name": fact.name, "a": fact.a, "b": fact.b, "differs": fact.differs}
