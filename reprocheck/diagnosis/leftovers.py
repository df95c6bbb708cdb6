"""What one run leaves behind for the next one: files that a run wrote and that another one reads, wherever they lie."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch

from reprocheck.compare.files import UNTOUCHED
from reprocheck.diagnosis.ledger_file import entries_as_of
from reprocheck.evidence.run import Ran
from reprocheck.model import Evidence, Known, Location
from reprocheck.model.explanation import LedgerEntry
from reprocheck.model.kinds import SourceKind
from reprocheck.protocol.names import IN_TEMPORARY

OWN = "own"
"""The generator of a read of what the same run had written again before."""
APPEND = "append"
"""The generator of a write that keeps what the file held."""
_LOOKS = ("read", "probe", "listing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A file that runs write, and that a run looks at."""

    path: str
    """Real and absolute."""
    location: Location | None
    """The first line that looks at it, where a ledger says."""
    is_outside: bool
    """It does not lie in the folder of the runs, or in a home folder there: a copy of the folder does not keep it
    away."""


def leftovers(entries: Iterable[LedgerEntry], *runs: Evidence) -> tuple[Leftover, ...]:
    """Files that runs write and look at, in the order in which they are looked at. `entries`: the ledgers of
    further runs in the same folder."""
    entries = tuple(entries)
    cwd = str(runs[0].spec.cwd) if runs else ""
    written = {
        *written_by(*runs),
        *(real_path(entry.value, cwd) for entry in entries if entry.kind == SourceKind.WRITE),
    }
    found: dict[str, Location | None] = {}
    for entry in entries:
        grows = entry.kind == SourceKind.WRITE and entry.generator == APPEND
        if not entry.value or not (grows or (entry.kind in _LOOKS and entry.generator != OWN)):
            continue
        path = real_path(entry.value, cwd)
        seen = _below(written, path) if entry.kind == SourceKind.LISTING else [path] if path in written else []
        for one in seen:
            found[one] = found.get(one) or entry.location
    for path in (path for run in runs for path in run.reads):
        if path in written:
            found.setdefault(path, None)
    own = _own_folders(runs)
    found = {path: place for path, place in found.items() if not path.startswith(own)}
    inside = os.path.realpath(cwd) + os.sep
    home = (
        os.path.realpath(runs[0].spec.environment.get("HOME") or os.path.expanduser("~")) + os.sep if runs else inside
    )

    def is_outside(path: str) -> bool:
        return not path.startswith(inside) or (home != inside and home.startswith(inside) and path.startswith(home))

    return tuple(Leftover(path=path, location=place, is_outside=is_outside(path)) for path, place in found.items())


def _own_folders(runs: Iterable[Evidence]) -> tuple[str, ...]:
    """Temporary directories that one run alone has: nothing in them is left over to another one."""
    specs = [run.spec for run in runs if run.spec.ambient.own_tmpdir and run.spec.environment.get("TMPDIR")]
    return tuple(os.path.realpath(spec.environment["TMPDIR"]) + os.sep for spec in specs)


def reads_what_was_written(entries: Iterable[LedgerEntry], *runs: Evidence) -> bool:
    """Whether a run looks at a file that one of the runs writes."""
    return bool(leftovers(entries, *runs))


def first_work(ran: Ran, first: Evidence) -> tuple[LedgerEntry, ...]:
    """What a run wrote and drew that found no file of an earlier one, its places as in the first run."""
    kinds = (SourceKind.WRITE, SourceKind.DRAW)
    return tuple(entry for entry in entries_as_of(ran, first) if entry.kind in kinds)


def written_by(*runs: Evidence) -> tuple[str, ...]:
    """Real paths of the files that these runs wrote."""
    return tuple(dict.fromkeys(_paths(runs)))


def _paths(runs: Iterable[Evidence]) -> Iterator[str]:
    for run in runs:
        temporary = run.spec.environment.get("TMPDIR", "")
        for file in run.files:
            if file.kind in UNTOUCHED:
                continue
            if not file.path.startswith(IN_TEMPORARY):
                yield real_path(file.path, str(run.spec.cwd))
            elif not run.spec.ambient.own_tmpdir and temporary:  # what is the run's alone is left to nobody
                yield real_path(os.path.join(temporary, file.path.removeprefix(IN_TEMPORARY)), str(run.spec.cwd))


def known_of(run: Evidence) -> Known:
    """What a run touched, for those that are to find the same in a copy of its folder."""
    sources = tuple(os.path.realpath(path) for path in run.sources)
    return Known(reads=tuple(run.reads), writes=written_by(run), sources=sources)


def real_path(path: str, cwd: str) -> str:
    """A path of a ledger or of the evidence, in the one spelling that can be compared."""
    return os.path.realpath(os.path.join(cwd, path))


def _below(written: Iterable[str], folder: str) -> list[str]:
    """What a listing of a folder, or of a pattern, shows."""
    return sorted(path for path in written if os.path.dirname(path) == folder or fnmatch(path, folder))
