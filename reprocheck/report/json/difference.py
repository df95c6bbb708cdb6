"""What differs, and what was found of it, for the JSON report."""

from __future__ import annotations

from typing import Any

from reprocheck.model import Divergence, Edit, Finding, Location, NotCompared, TensorDifference
from reprocheck.model.places import cell_of
from reprocheck.model.values import ValueDifference
from reprocheck.report.wording import shown_path

Plain = dict[str, Any]


def plain_divergence(divergence: Divergence | None) -> Plain | None:
    if divergence is None:
        return None
    return {
        "stage": divergence.stage,
        "step": divergence.step,
        "kind": divergence.kind,
        "names": divergence.names,
        "op": divergence.op,
        "location": plain_location(divergence.location),
        "runs": divergence.runs,
        "note": divergence.note,
        "rank": divergence.rank,
        "part": divergence.part or None,
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
        "values": plain_values(tensor.values),
        "reason": tensor.reason,
    }


def plain_values(values: ValueDifference | None) -> Plain | None:
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


def plain_location(location: Location | None) -> Plain | None:
    if location is None:
        return None
    columns = {} if location.columns is None else {"columns": list(location.columns)}
    return {"path": shown_path(location.path), **plain_line(location.path, location.line), **columns}


def plain_line(path: str, line: int) -> Plain:
    """The number of a line; of a notebook that in its cell, and the cell."""
    cell = cell_of(path, line)
    return {"line": line} if cell is None else {"cell": cell[0], "line": cell[1]}


def plain_finding(finding: Finding) -> Plain:
    return {
        "code": finding.code,
        "cause": finding.cause,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "message": finding.message,
        "location": plain_location(finding.location),
        "source": finding.source,
        "evidence": finding.evidence,
        "help": finding.help,
        "edit": None if finding.edit is None else plain_edit(finding.edit),
        "calls": [plain_location(place) for place in finding.calls],
    }


def plain_not_compared(item: NotCompared) -> Plain:
    return {"what": item.what, "reason": item.reason, "is_result": item.is_result, "help": item.help}


def plain_edit(edit: Edit) -> Plain:
    """A suggested or tried change of one line."""
    return {
        "path": shown_path(edit.path),
        **plain_line(edit.path, edit.line),
        "before": edit.before,
        "after": edit.after,
    }
