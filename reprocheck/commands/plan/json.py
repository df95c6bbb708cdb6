"""What `reprocheck plan` and `reprocheck worker` made, as JSON."""

from __future__ import annotations

import json

from reprocheck.commands.plan.make import PlanReport
from reprocheck.commands.plan.worker import Made
from reprocheck.engine.console import Style
from reprocheck.protocol.plain_json import plain
from reprocheck.protocol.plan_files import run_folder

VERSION = 1


def render_plan_json(made: PlanReport, style: Style) -> str:
    """ASCII JSON: keys sorted, a newline at the end."""
    content = {
        "plan_version": VERSION,
        "plan": made.plan.id,
        "folder": made.out,
        "runs": [
            {"folder": run_folder(run.number), "id": run.id, "seed": run.seed, "repeat": run.repeat}
            for run in made.plan.runs
        ],
        "files_not_checked": made.left,
    }
    return json.dumps(plain(content), indent=2, sort_keys=True, allow_nan=False) + "\n"


def render_run_json(made: Made, style: Style) -> str:
    """The same of one run."""
    outcome = made.result.outcome
    content = {
        "run_version": VERSION,
        "folder": made.run,
        "id": outcome.spec.id,
        "status": outcome.status,
        "reason": outcome.reason,
        "seconds": outcome.seconds,
        "files": dict(outcome.digests),
    }
    return json.dumps(plain(content), indent=2, sort_keys=True, allow_nan=False) + "\n"
