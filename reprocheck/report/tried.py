"""An audit → the changed lines with which its runs agreed."""

from __future__ import annotations

from dataclasses import dataclass

from reprocheck.model import Audit, Edit
from reprocheck.model.explanation import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Changed lines with which all runs of an audit agreed."""

    edits: tuple[Edit, ...]
    options: tuple[str, ...]
    """What else was tried with them, as a user would write it: no line, so it is not part of the patch."""
    runs: int


def tried_in(audit: Audit) -> tuple[Tried, ...]:
    """Those that work, with the fewest options beside them and then the fewest lines first."""
    trials = () if audit.explanation is None else audit.explanation.trials
    found = [_tried(trial) for trial in trials if trial.works and not any(one.hides for one in trial.remedies)]
    return tuple(sorted((one for one in found if one.edits), key=lambda one: (len(one.options), len(one.edits))))


def _tried(trial: Trial) -> Tried:
    return Tried(
        edits=tuple(edit for remedy in trial.remedies for edit in remedy.edits),
        options=tuple(remedy.text for remedy in trial.remedies if not remedy.edits),
        runs=trial.runs,
    )
