"""The answer of `reprocheck bisect` as JSON, contract version 1. Within a version keys are only added."""

from __future__ import annotations

import json
from typing import Any

from reprocheck.commands.bisect.model import Bisection, Change, Commit
from reprocheck.engine.console import Style
from reprocheck.protocol.plain_json import Scrub, plain
from reprocheck.report.json.against import plain_shift
from reprocheck.report.json.difference import plain_divergence
from reprocheck.report.wording import shown_path, shown_target

VERSION = 1


def render_bisect_json(answer: Bisection, style: Style) -> str:
    """ASCII JSON: keys sorted, a newline at the end."""
    criterion = answer.order.criterion
    stable = {
        "bisect_version": VERSION,
        "exit_code": int(answer.exit_code),
        "summary": answer.summary,
        "reason": answer.reason or None,
        "target": shown_target(answer.order.request.target),
        "seeds": list(answer.order.request.seeds),
        "good": _commit(answer.good),
        "bad": _commit(answer.bad),
        "commits": answer.between,
        "criterion": None if criterion is None else {"metric": criterion.metric, "worse": str(criterion.worse)},
        "audited": [
            {
                **_commit(one.commit),
                "comparable": not one.reason,
                "reason": one.reason or None,
                "metrics": dict(one.metrics),
            }
            for one in answer.audited
        ],
        "changes": [_change(change) for change in answer.changes],
        "more_changes": answer.more,
    }
    volatile: dict[str, Any] = {"seconds": answer.seconds, "directory": shown_path(answer.directory)}
    clean = Scrub(answer.directory).clean(plain(stable))
    return json.dumps({**clean, "volatile": plain(volatile)}, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _commit(commit: Commit) -> dict[str, Any]:
    return {"commit": commit.hash, "subject": commit.subject}


def _change(change: Change) -> dict[str, Any]:
    return {
        **_commit(change.commit),
        "before": _commit(change.before),
        "one_of": [_commit(commit) for commit in change.commits],
        "merged_by": None if change.merged_by is None else _commit(change.merged_by),
        "divergence": plain_divergence(change.divergence),
        "differing_seeds": list(change.seeds),
        "shifts": [plain_shift(shift) for shift in change.shifts],
        "files": list(change.files),
        "note": change.note or None,
    }
