"""`reprocheck diff A B`: arguments → sides → answer → report."""

from __future__ import annotations

import os
from pathlib import Path

from reprocheck.commands.diff.checkpoints.compare import compare_checkpoints
from reprocheck.commands.diff.checkpoints.document import checkpoints_document
from reprocheck.commands.diff.checkpoints.json import render_checkpoints_json
from reprocheck.commands.diff.checkpoints.model import CheckpointDiff
from reprocheck.commands.diff.checkpoints.reading import is_checkpoint, read_checkpoint
from reprocheck.commands.diff.compare import diff_sides
from reprocheck.commands.diff.document import diff_document
from reprocheck.commands.diff.json import render_diff_json
from reprocheck.commands.diff.model import Diff
from reprocheck.commands.diff.sides import best_pair, open_sides
from reprocheck.errors import UsageError
from reprocheck.model.tolerance import Tolerance
from reprocheck.report.formats import formats_of

FORMATS = formats_of(document=diff_document, json=render_diff_json)
CHECKPOINTS = formats_of(document=checkpoints_document, json=render_checkpoints_json)
"""Of two checkpoints."""


def are_checkpoints(a: str, b: str) -> bool:
    """Whether both arguments name checkpoints. Raises UsageError where one does and the other names an audit."""
    found = is_checkpoint(a), is_checkpoint(b)
    if any(found) and not all(found) and all(map(os.path.lexists, (a, b))):
        other = b if found[0] else a
        raise UsageError(f"{other} is no checkpoint, and the other one is", "compare two checkpoints, or two audits")
    return all(found)


def diff_checkpoints(a: str, b: str, tolerance: Tolerance) -> CheckpointDiff:
    """Compare two checkpoints by value. Raises UsageError."""
    if tolerance.metrics:
        raise UsageError("--tolerance NAME=MARGIN is for metrics, and checkpoints have none", "use close or ulp=N")
    return compare_checkpoints(read_checkpoint(a), read_checkpoint(b), tolerance)


def diff_audits(a: str, b: str, evidence: Path, tolerance: Tolerance) -> Diff:
    """Compare what two arguments name. Raises UsageError."""
    return diff_sides(*best_pair(open_sides(a, evidence), open_sides(b, evidence)), tolerance)
