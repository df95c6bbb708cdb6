"""What the rules for files of earlier runs share: which reads came upon something that an earlier run wrote."""

from __future__ import annotations

from collections.abc import Iterable

from reprocheck.explain.model import Case, Tap
from reprocheck.rules.scene import taps

SOURCES = ("leftover",)


def reads_of_written(case: Case) -> tuple[Tap, ...]:
    """Reads, and questions whether a file is there, of paths that the runs write; not of what a run wrote itself.

    A path that one of two runs alone has (of its own temporary folder, say) is not left over to the other.
    """
    found = {tap.value for tap in (*case.taps, *case.other_taps) if tap.kind == "write"}
    if case.taps and case.other_taps:
        found &= _paths(case.taps) & _paths(case.other_taps)
    return tuple(tap for tap in taps(case, "read", "probe") if tap.value in found and tap.generator != "own")


def _paths(ledger: Iterable[Tap]) -> set[str]:
    return {tap.value for tap in ledger if tap.kind in ("read", "probe", "write")}


def tells_of(found: tuple[Tap, ...]) -> tuple[str, ...]:
    """The file as evidence."""
    return (f"`{found[0].value}` is read, and written by the same training",) if found else ()
