"""The answer of `reprocheck resume` as JSON, contract version 1. Within a version keys are only added."""

from __future__ import annotations

import json
from typing import Any

from reprocheck.commands.resume.model import Answer, ResumeRun
from reprocheck.engine.console import Style
from reprocheck.model import Verdict
from reprocheck.protocol.plain_json import Scrub, plain
from reprocheck.report.wording import shown_path, shown_target

VERSION = 1
_VERDICTS = {Verdict.REPRODUCIBLE: "resumes_exactly"}


def render_resume_json(answer: Answer, style: Style) -> str:
    """ASCII JSON: keys sorted, a newline at the end. What no two answers share is in `volatile`."""
    order, found = answer.order, answer.found
    stable = {
        "resume_version": VERSION,
        "verdict": _VERDICTS.get(answer.verdict, answer.verdict.value),
        "exit_code": int(answer.exit_code),
        "summary": answer.summary,
        "reason": answer.reason or None,
        "help": answer.help,
        "target": shown_target(order.request.target),
        "seed": order.request.seeds[0],
        "signal": "SIGKILL" if order.kill else "SIGTERM",
        "stopped_after": answer.at,
        "resumed_from": None if answer.alignment is None else answer.alignment.step,
        "resumed_from_by": None if answer.alignment is None else answer.alignment.by,
        "steps_done_again": answer.again,
        "runs": [_run(run) for run in answer.runs],
        "saved": [path for path, _ in answer.files],
        "loaded": answer.loads,
        "restored": [{"what": item.what, "same": item.same, "detail": item.detail} for item in found.restored],
        "difference": None
        if found.difference is None
        else {
            "step": found.difference.step,
            "kind": found.difference.kind,
            "detail": found.difference.detail,
        },
        "causes": [
            {
                "code": cause.code,
                "cause": cause.slug,
                "confidence": cause.confidence,
                "message": cause.message,
                "evidence": cause.evidence,
                "help": cause.help,
            }
            for cause in found.causes
        ],
        "compared": found.compared,
        "not_compared": [{"what": item.what, "reason": item.reason} for item in found.not_compared],
        "notes": found.notes,
    }
    clean = Scrub(answer.directory).clean(plain(stable))
    volatile: dict[str, Any] = {
        "seconds": answer.seconds,
        "directory": shown_path(answer.directory),
        "runs": {
            run.name: {"seconds": run.outcome.seconds, "last_words": run.outcome.stderr_tail} for run in answer.runs
        },
    }
    return json.dumps({**clean, "volatile": plain(volatile)}, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _run(run: ResumeRun) -> dict[str, Any]:
    return {
        "name": run.name,
        "status": run.outcome.status,
        "how": run.how,
        "first_step": run.first,
        "steps": run.steps,
    }
