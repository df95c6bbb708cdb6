"""The JSON report, contract version 1.

Everything outside `volatile` is byte-identical between two audits of the same reproducible target. Within a
version, keys are only added. Types are written out here, apart from the model, so that the model may change.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from reprocheck.console import Style
from reprocheck.model import (
    Audit,
    Beside,
    Divergence,
    Finding,
    Location,
    MetricSummary,
    NotCompared,
    Request,
    RunSummary,
    SeedAudit,
    Target,
    TensorDifference,
)
from reprocheck.values import ValueDifference

VERSION = 1
_VOLATILE = "volatile"

Plain = dict[str, Any]


def render_json(audit: Audit, style: Style) -> str:
    """The report as ASCII JSON: keys sorted, a newline at the end."""
    return json.dumps(to_plain(audit), indent=2, sort_keys=True, allow_nan=False) + "\n"


def to_plain(audit: Audit) -> Plain:
    """The report as dictionaries, lists and scalars."""
    stable = _Scrub(audit.directory).clean(_plain(_stable(audit)))
    return {**stable, _VOLATILE: _plain(_volatile(audit))}


def shown_path(path: str | Path) -> str:
    """Relative to the current directory when below it."""
    text = str(path)
    if not os.path.isabs(text):
        return text
    try:
        relative = os.path.relpath(text)
    except (OSError, ValueError):  # no current directory, or another drive
        return text
    return text if relative == ".." or relative.startswith(".." + os.sep) else relative


def shown_target(target: Target) -> str:
    """As the user wrote it, with a path relative to the current directory when below it."""
    if target.path is None or not os.path.isabs(target.text):
        return target.text
    return shown_path(target.path) + (f":{target.function}" if target.function else "")


def flat_memory(memory: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"cuda": {"0": {"allocated_peak": 1}}}` → `{"cuda.0.allocated_peak": 1}`, without what is missing."""
    flat: dict[str, Any] = {}
    for key, value in memory.items():
        if isinstance(value, Mapping):
            flat |= flat_memory(value, f"{prefix}{key}.")
        elif isinstance(value, (list, tuple)):
            flat |= flat_memory({str(place): item for place, item in enumerate(value)}, f"{prefix}{key}.")
        elif value is not None:
            flat[f"{prefix}{key}"] = value
    return flat


def _stable(audit: Audit) -> Plain:
    return {
        "schema_version": VERSION,
        "verdict": audit.verdict,
        "exit_code": audit.exit_code,
        "summary": audit.summary,
        "target": _target(audit.request.target),
        "asked": _asked(audit.request),
        "seeds": [_seed(seed) for seed in audit.seeds],
        "divergence": _divergence(audit.divergence),
        "findings": [_finding(finding) for finding in audit.findings],
        "metrics": [_metric(metric) for metric in audit.metrics],
        "compared": audit.compared,
        "not_compared": [_not_compared(item) for item in audit.not_compared],
        "varied": audit.varied,
        "not_varied": [_not_compared(item) for item in audit.not_varied],
        "manifest": {key: value for key, value in audit.manifest.items() if key != _VOLATILE},
    }


def _volatile(audit: Audit) -> Plain:
    measured = audit.manifest.get(_VOLATILE)
    return {
        **(measured if isinstance(measured, Mapping) else {}),
        "started": audit.started,
        "seconds": audit.seconds,
        "directory": str(audit.directory),
        "runs": {run.id: _run_volatile(run) for seed in audit.seeds for run in seed.runs},
        "beside": {
            str(seed.seed): {item.what: item.detail for item in seed.beside if not item.same} for seed in audit.seeds
        },
    }


def _run_volatile(run: RunSummary) -> Plain:
    return {
        "seconds": run.seconds,
        "memory": run.memory,
        "directory": run.directory,
        "ambient": run.ambient,
        "last_words": run.last_words,
    }


def _target(target: Target) -> Plain:
    return {
        "text": shown_target(target),
        "kind": target.kind,
        "path": None if target.path is None else shown_path(target.path),
        "module": target.module,
        "function": target.function,
        "argv": target.argv,
        "arguments": dict(target.arguments),
    }


def _asked(request: Request) -> Plain:
    settings = request.settings
    return {
        "seeds": request.seeds,
        "repeats": request.repeats,
        "jobs": request.jobs,
        "ambient": request.ambient,
        "compare": request.compare,
        "ignore": request.ignore,
        "settings": {
            "seeding": settings.seeding,
            "cudnn_deterministic": settings.cudnn_deterministic,
            "cudnn_benchmark": settings.cudnn_benchmark,
            "deterministic": settings.deterministic,
            "tf32": settings.tf32,
            "threads": settings.threads,
            "device": settings.device,
            "memory_fraction": settings.memory_fraction,
            "env": sorted(name for name, _ in settings.env),  # names only: a value may be a secret
            "timeout": settings.timeout,
            "max_steps": settings.max_steps,
        },
    }


def _seed(seed: SeedAudit) -> Plain:
    return {
        "seed": seed.seed,
        "verdict": seed.verdict,
        "reason": seed.reason,
        "runs": [_run(run) for run in seed.runs],
        "divergence": _divergence(seed.divergence),
        "beside": [_beside(item) for item in seed.beside],
        "notes": seed.notes,
    }


def _run(run: RunSummary) -> Plain:
    return {
        "id": run.id,
        "status": run.status,
        "reason": run.reason,
        "init": run.init,
        "output": run.output,
        "steps": {"count": run.steps, "digest": run.steps_digest},
        "metrics": run.metrics,
        "settings": run.settings,
        "memory": {"measured": sorted(flat_memory(run.memory))},
        "stopped_at": run.stopped_at,
    }


def _beside(item: Beside) -> Plain:
    """What differed is told in `volatile`: such text may hold times and paths."""
    detail = item.detail if item.same else ""
    return {"what": item.what, "same": item.same, "detail": detail, "decides": item.decides}


def _divergence(divergence: Divergence | None) -> Plain | None:
    if divergence is None:
        return None
    return {
        "stage": divergence.stage,
        "step": divergence.step,
        "kind": divergence.kind,
        "names": divergence.names,
        "op": divergence.op,
        "location": _location(divergence.location),
        "runs": divergence.runs,
        "note": divergence.note,
        "tensors": [_tensor(tensor) for tensor in divergence.tensors],
    }


def _tensor(tensor: TensorDifference) -> Plain:
    return {
        "name": tensor.name,
        "kind": tensor.kind,
        "dtype": tensor.dtype,
        "shape": tensor.shape,
        "a": tensor.a,
        "b": tensor.b,
        "values": _values(tensor.values),
        "reason": tensor.reason,
    }


def _values(values: ValueDifference | None) -> Plain | None:
    if values is None:
        return None
    return {
        "different": values.different,
        "total": values.total,
        "max_abs": values.max_abs,
        "max_ulp": values.max_ulp,
        "index": values.index,
        "samples": [{"index": index, "a": a, "b": b} for index, a, b in values.samples],
    }


def _location(location: Location | None) -> Plain | None:
    return None if location is None else {"path": shown_path(location.path), "line": location.line}


def _finding(finding: Finding) -> Plain:
    return {
        "code": finding.code,
        "cause": finding.cause,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "message": finding.message,
        "location": _location(finding.location),
        "evidence": finding.evidence,
        "help": finding.help,
    }


def _metric(metric: MetricSummary) -> Plain:
    return {
        "name": metric.name,
        "seeds": metric.seeds,
        "mean": metric.mean,
        "std": metric.std,
        "within": metric.within,
    }


def _not_compared(item: NotCompared) -> Plain:
    return {"what": item.what, "reason": item.reason}


class _Scrub:
    """Takes the evidence folder's name, new with every audit, out of text."""

    def __init__(self, directory: Path) -> None:
        names = {os.path.abspath(directory), str(directory)} - {os.sep}
        self._names = sorted((name for name in names if os.sep in name), key=len, reverse=True)

    def clean(self, value: Any) -> Any:
        """The same tree with the folder's name replaced in every string."""
        if isinstance(value, str):
            for name in self._names:
                value = value.replace(name, "<evidence>")
            return value
        if isinstance(value, dict):
            return {key: self.clean(item) for key, item in value.items()}
        return [self.clean(item) for item in value] if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """Any value as JSON can say it, always the same way."""
    if isinstance(value, Enum):
        return _plain(value.value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, (str, Path)):  # a lone surrogate (a name that is no UTF-8) is no valid JSON
        return str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(item) for item in value), key=repr)
    if isinstance(value, (bytes, bytearray, complex)):
        return str(value)
    return f"<{type(value).__name__}>"  # never repr: it may hold an address
