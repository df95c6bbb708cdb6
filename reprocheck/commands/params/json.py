"""`reprocheck params` as JSON, contract version 1. Within a version keys are only added."""

from __future__ import annotations

import json
from typing import Any

from reprocheck.commands.params.model import Params, Row
from reprocheck.commands.params.to_findings import to_findings
from reprocheck.engine.console import Style
from reprocheck.model.initializers import Answer
from reprocheck.protocol.plain_json import Scrub, plain
from reprocheck.report.json.difference import plain_finding
from reprocheck.report.wording import shown_path, shown_target

VERSION = 1


def render_params_json(answer: Params, style: Style) -> str:
    """ASCII JSON: keys sorted, a newline at the end."""
    stable = {
        "params_version": VERSION,
        "exit_code": int(answer.exit_code),
        "target": shown_target(answer.request.target),
        "seeds": answer.request.seeds,
        "summary": answer.summary,
        "stage": answer.stage or None,
        "tensors": [plain_row(row) for row in answer.rows],
        "findings": [
            {**plain_finding(finding), "tensors": remark.names}
            for remark in answer.remarks
            for finding in to_findings((remark,))
        ],
        "notes": answer.notes,
    }
    volatile = {
        "seconds": answer.seconds,
        "directory": shown_path(answer.directory),
        "last_words": answer.stderr_tail,
    }
    clean = Scrub(answer.directory).clean(plain(stable))
    return json.dumps({**clean, "volatile": plain(volatile)}, indent=2, sort_keys=True, allow_nan=False) + "\n"


def plain_row(row: Row) -> dict[str, Any]:
    """One tensor, over all seeds."""
    tensor = row.tensor
    return {
        "name": row.name,
        "model": tensor.root or None,
        "kind": tensor.kind,
        "module": tensor.module or None,
        "layer": tensor.layer or None,
        "shape": tensor.shape,
        "dtype": tensor.dtype,
        "device": tensor.device,
        "trainable": tensor.trainable,
        "digests": {str(seed): digest or None for seed, digest in row.digests.items()},
        "mean": tensor.mean,
        "std": tensor.std,
        "min": tensor.low,
        "max": tensor.high,
        "nan": tensor.nan,
        "inf": tensor.inf,
        "initialiser": None if tensor.answer is None else _answer(tensor.answer),
        "loaded": tensor.loaded,
        "not_read": tensor.reason or None,
        "placements": tensor.placements or None,
        "local_shape": tensor.local_shape if tensor.placements else None,
    }


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "family": answer.family,
        "confidence": answer.confidence,
        "distribution": answer.shape,
        "schemes": answer.schemes,
        "equal": answer.equal,
        "scale": answer.scale,
        "centre": answer.centre,
        "nearest": answer.nearest or None,
        "note": answer.note or None,
    }
