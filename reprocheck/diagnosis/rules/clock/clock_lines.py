"""What the rules for clocks share: readings that did not go into a seed."""

from __future__ import annotations

from dataclasses import replace

from reprocheck.diagnosis.rules.candidate_lines import differing_seeds, entries, find, hits, into_a_seed, on_lines
from reprocheck.diagnosis.rules.model import Match
from reprocheck.diagnosis.rules.support import CLOCK, Support, support_of
from reprocheck.model.explanation import Case, LedgerEntry
from reprocheck.model.kinds import SourceKind


def readings(case: Case) -> tuple[LedgerEntry, ...]:
    """Clocks that the user's code read before the difference; none where a seed differs, which explains more, unless
    several lines have to be constant: then those that did not go into it."""
    read, seeds = entries(case, SourceKind.CLOCK), differing_seeds(case)
    if not seeds:
        return read
    if case.attribution is None or not case.attribution.together:
        return ()
    used = into_a_seed(case, read, seeds)
    return tuple(entry for entry in read if entry not in used)


def decided_by(case: Case, pattern: str) -> Match | None:
    """The comparison of this pattern whose clock was read, at its own line."""
    marks = hits(case, pattern)
    read = on_lines(readings(case), (*marks, *hits(case, f"{pattern}-reading")))
    if not marks or not read or support_of(case, *CLOCK) is Support.AGAINST:
        return None
    found = find(
        case, sources=CLOCK, entries=read, hits=[mark for mark in marks if on_lines(read, (mark,))], latest=True
    )
    if found is None or any(mark.location == found.location for mark in marks):
        return found
    at = found.location
    mark = min(marks, key=lambda one: (at is None or one.location.path != at.path, one.location.line))
    return replace(found, location=mark.location, source=mark.code)


def decides(case: Case) -> bool:
    """A comparison with a clock is a nearer reason than a clock whose value is used."""
    return any(decided_by(case, pattern) is not None for pattern in ("clock-branch", "clock-choice"))
