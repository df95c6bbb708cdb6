"""What the rules for files of earlier runs share: which reads came upon something that an earlier run wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reprocheck.diagnosis.leftovers import OWN, real_path
from reprocheck.diagnosis.rules.candidate_lines import entries, lines
from reprocheck.model.explanation import Case, LedgerEntry
from reprocheck.model.kinds import SourceKind
from reprocheck.model.places import line_text

SOURCES = ("leftover",)


def reads_of_written(case: Case) -> tuple[LedgerEntry, ...]:
    """Reads, and questions whether a file is there, of paths that the runs write; not of what a run wrote itself.

    A path that one of two runs alone has (of its own temporary folder, say) is not left over to the other.
    """
    found = {
        _real(entry, case) for entry in (*case.entries, *case.other_entries) if entry.kind == SourceKind.WRITE
    } | set(case.written)
    if case.entries and case.other_entries:
        found &= _paths(case.entries, case) & _paths(case.other_entries, case)
    return tuple(
        entry
        for entry in entries(case, SourceKind.READ, SourceKind.PROBE)
        if entry.generator != OWN and _real(entry, case) in found
    )


def _paths(ledger: Iterable[LedgerEntry], case: Case) -> set[str]:
    return {
        _real(entry, case) for entry in ledger if entry.kind in (SourceKind.READ, SourceKind.PROBE, SourceKind.WRITE)
    }


def _real(entry: LedgerEntry, case: Case) -> str:
    return real_path(entry.value, case.cwd)


def writers_of(found: tuple[LedgerEntry, ...], case: Case) -> tuple[str, ...]:
    """The file as evidence, and the line that writes it."""
    if not found:
        return ()
    path = _real(found[0], case)
    writes = (
        entry
        for entry in (*case.entries, *case.other_entries)
        if entry.kind == SourceKind.WRITE and _real(entry, case) == path
    )
    by_entry = next((entry.location for entry in writes if entry.location is not None), None)
    where = f" ({line_text(by_entry.path, by_entry.line)})" if by_entry is not None else ""
    return (f"`{found[0].value}` is read, and written by the same training{where}",)


def first_write(found: tuple[LedgerEntry, ...], case: Case) -> LedgerEntry | None:
    """Where a run that found no file of an earlier one wrote the first of these."""
    if not found or case.attribution is None:
        return None
    path = _real(found[0], case)
    return next((entry for entry in _first_writes(case) if _real(entry, case) == path), None)


def _first_writes(case: Case) -> Iterator[LedgerEntry]:
    done = () if case.attribution is None else case.attribution.first_work
    return (entry for entry in done if entry.kind == SourceKind.WRITE and entry.location is not None)


def skipped_draws(case: Case) -> tuple[LedgerEntry, ...]:
    """Lines that draw in a run that found no file of an earlier one, and that a run which found some left out: it came
    to a later one."""
    first = () if case.attribution is None else case.attribution.first_work
    drawn = sorted((entry for entry in first if entry.kind == SourceKind.DRAW), key=lambda entry: entry.order)
    later = lines(entry for entry in _of_last_run(case) if entry.kind == SourceKind.DRAW)
    reached = max((entry.order for entry in drawn if lines((entry,)) & later), default=-1)
    return tuple(entry for entry in drawn if entry.order < reached and lines((entry,)) - later)


def _of_last_run(case: Case) -> tuple[LedgerEntry, ...]:
    """It found what the one before it wrote."""
    return case.other_entries or case.entries


def written_after(draw: LedgerEntry, case: Case) -> LedgerEntry | None:
    """What that run wrote next, and no later one writes."""
    again = {_real(entry, case) for entry in _of_last_run(case) if entry.kind == SourceKind.WRITE}
    after = (entry for entry in _first_writes(case) if entry.order > draw.order and _real(entry, case) not in again)
    return next(after, None)
