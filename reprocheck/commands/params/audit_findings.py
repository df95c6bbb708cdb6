"""Initial weights of an audit: what its first run took down of them → findings that decide nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from reprocheck.commands.params.findings import find
from reprocheck.commands.params.model import NOTE, WARNING
from reprocheck.commands.params.read import read_start
from reprocheck.commands.params.rows import rows_of
from reprocheck.commands.params.to_findings import to_findings
from reprocheck.evidence.run import EvidenceUnreadable
from reprocheck.model import Finding, Outcome, Status


def weights_findings(outcomes: Iterable[Outcome]) -> tuple[Finding, ...]:
    """Errors and warnings, as warnings: a training may reproduce and still start badly."""
    outcome = next((one for one in outcomes if one.spec.looks_at_weights), None)
    if outcome is None or outcome.status is not Status.COMPLETED:
        return ()
    try:
        start, _ = read_start(outcome)
    except EvidenceUnreadable:
        return ()
    found = to_findings(find(rows_of([start]), (outcome.spec.seed,)))
    return tuple(replace(one, severity=WARNING) for one in found if one.severity != NOTE)
