"""The comparison with another revision, for the JSON report."""

from __future__ import annotations

from collections.abc import Callable

from reprocheck.model import Against, Change, MetricShift, SeedAudit
from reprocheck.model.explanation import Frame
from reprocheck.report.json.difference import Plain, plain_divergence, plain_location


def plain_against(against: Against | None, plain_seed: Callable[[SeedAudit], Plain]) -> Plain | None:
    """The stable part: everything but times and paths of the runs of the revision."""
    if against is None:
        return None
    return {
        "text": against.text,
        "commit": against.commit,
        "verdict": against.verdict,
        "reason": against.reason,
        "seeds": [plain_seed(seed) for seed in against.seeds],
        "differing": against.differing,
        "divergence": plain_divergence(against.divergence),
        "shifts": [plain_shift(shift) for shift in against.shifts],
        "allowed": against.allowed,
        "changes": [_change(change) for change in against.changes],
        "other_files": against.other_files,
        "here": _line(against.here),
        "base": _line(against.base),
    }


def plain_shift(shift: MetricShift) -> Plain:
    """A metric before and after a change of the code."""
    return {
        "name": shift.name,
        "seeds": shift.seeds,
        "base": shift.base,
        "here": shift.here,
        "std": shift.std,
        "in_std": shift.in_std,
    }


def _change(change: Change) -> Plain:
    return {
        "here": plain_location(change.here),
        "base": plain_location(change.base),
        "before": change.before,
        "after": change.after,
    }


def _line(frame: Frame | None) -> Plain | None:
    return None if frame is None else {"location": plain_location(frame.location), "code": frame.code}
