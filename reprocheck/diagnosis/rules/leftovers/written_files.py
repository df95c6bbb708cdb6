"""What the rules for files of earlier runs share: which reads came upon something that an earlier run wrote."""

from __future__ import annotations

from collections.abc import Iterable

from reprocheck.diagnosis.leftovers import OWN, real_path
from reprocheck.diagnosis.rules.scene import taps
from reprocheck.model.explanation import Case, Tap

SOURCES = ("leftover",)


def reads_of_written(case: Case) -> tuple[Tap, ...]:
    """Reads, and questions whether a file is there, of paths that the runs write; not of what a run wrote itself.

    A path that one of two runs alone has (of its own temporary folder, say) is not left over to the other.
    """
    found = {_real(tap, case) for tap in (*case.taps, *case.other_taps) if tap.kind == "write"} | set(case.written)
    if case.taps and case.other_taps:
        found &= _paths(case.taps, case) & _paths(case.other_taps, case)
    return tuple(tap for tap in taps(case, "read", "probe") if tap.generator != OWN and _real(tap, case) in found)


def _paths(ledger: Iterable[Tap], case: Case) -> set[str]:
    return {_real(tap, case) for tap in ledger if tap.kind in ("read", "probe", "write")}


def _real(tap: Tap, case: Case) -> str:
    return real_path(tap.value, case.cwd)


def tells_of(found: tuple[Tap, ...], case: Case) -> tuple[str, ...]:
    """The file as evidence, and the line that writes it."""
    if not found:
        return ()
    path = _real(found[0], case)
    writes = (tap for tap in (*case.taps, *case.other_taps) if tap.kind == "write" and _real(tap, case) == path)
    by_tap = next((tap.location.line for tap in writes if tap.location is not None), None)
    where = f" (line {by_tap})" if by_tap is not None else ""
    return (f"`{found[0].value}` is read, and written by the same training{where}",)
