"""The ledger of a run → its entries. Nothing in the file is executed, and nothing in it is trusted to be well formed.

How `LedgerEntry.generator` and `LedgerEntry.value` are used beyond their plain meaning:
- seed: value `entropy` is a seed taken from the system, `state` a state put back;
- draw: value `thread` came first from another thread than the main one;
- unseeded: value `default seed` is a torch.Generator that nobody seeded; generator `numpy` is `random_state=None`,
  which draws from numpy's global generator;
- read: generator `own` is a file that the same run had written again before;
- write: generator `append` keeps what the file held before;
- order: generator is what it depends on, `string hashes`, `addresses` or `hashes`, value a digest of the order;
- probe: generator `found` or `absent`.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from reprocheck.diagnosis.source.order_place import walked
from reprocheck.diagnosis.source.seed_place import Call, frames_of, read_stack, seed_place, source_at
from reprocheck.evidence.run import Ran
from reprocheck.model import Evidence, Location
from reprocheck.model.explanation import LedgerEntry, SourceHit
from reprocheck.model.kinds import SourceKind
from reprocheck.model.places import NOTEBOOK, is_notebook
from reprocheck.protocol import LEDGER_FILE
from reprocheck.protocol.reading import parse_json, read_some

MOST_BYTES = 32 * 2**20
MOST_ENTRIES = 20_000
MOST_CHARACTERS = 500
LARGEST_SOURCE = 2 * 2**20
_KINDS = frozenset(SourceKind)
_MADE = re.compile(r"\b(?:np|numpy)?\.?(?:random\.)?(RandomState|SeedSequence|MT19937|PCG64DXSM|PCG64|Philox|SFC64)\(")


def load_entries(folder: Path) -> tuple[LedgerEntry, ...]:
    """The entries of the run in `folder`, in the order of first calls; those of its children, as one, after its own."""
    found: dict[tuple[int, int, str], Mapping[str, Any]] = {}
    first_pid: int | None = None
    for line in _lines(folder / LEDGER_FILE):
        # A script that starts itself again keeps its number, and counts from 0 again.
        key = (
            _number(line, "pid"),
            _number(line, "order"),
            f"{line.get('name')} {line.get('path')} {line.get('line')}",
        )
        first_pid = key[0] if first_pid is None else first_pid
        if key in found or len(found) < MOST_ENTRIES:
            found[key] = line  # a later line has the greater count
    ordered = sorted(found, key=lambda key: (found[key].get("in_child") is True, key[0] != first_pid, key))
    entries: dict[object, LedgerEntry] = {}
    for order, key in enumerate(ordered):
        entry = _entry(found[key], order)
        if entry is None:
            continue
        # Children do the same things, each with values of its own.
        same = (entry.kind, entry.name, entry.generator, entry.location, entry.library) if entry.in_child else order
        before = entries.get(same)
        entries[same] = entry if before is None else replace(before, count=before.count + entry.count)
    return tuple(entries.values())


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        data = read_some(path, MOST_BYTES)
    except OSError:
        return
    for text in data.splitlines():
        try:
            line = parse_json(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            yield line


def _entry(line: Mapping[str, Any], order: int) -> LedgerEntry | None:
    kind, name = _text(line, "kind"), _text(line, "name")
    if kind not in _KINDS or not name or line.get("count") == 0:  # 0: it was taken back
        return None
    path, number = _text(line, "path"), _number(line, "line")
    location = Location(path=path, line=number) if path and number > 0 else None
    code = "" if location is None else source_line(location)
    generator = _text(line, "generator")
    if name == "numpy.random.SeedSequence" and (made := _MADE.search(code)) is not None:
        name = generator = f"numpy.random.{made[1]}"
    stack = read_stack(line.get("stack"))
    frames = frames_of(stack)
    return LedgerEntry(
        kind=SourceKind(kind),
        name=name,
        generator=generator,
        location=next((frame.location for frame in frames if frame.location == location), location),
        code=code,
        library=_text(line, "library"),
        value=_text(line, "value"),
        count=max(1, _number(line, "count")),
        step=max(0, _number(line, "step")),
        order=order,
        threads=max(1, _number(line, "threads")),
        in_import=line.get("in_import") is True,
        in_child=line.get("in_child") is True,
        frames=frames,
        seed_place=seed_place(stack, name, is_draw=kind == "draw") if stack and kind != "order" else None,
        hit=_walked(stack, generator, _text(line, "value")) if stack and kind == "order" else None,
    )


def _walked(stack: tuple[Call, ...], by: str, value: str) -> SourceHit | None:
    source = source_at(stack[0].path)
    return None if source is None else walked(source, stack[0], by, of_text=not value.endswith(" of others"))


def source_line(location: Location) -> str:
    """The line at a place, stripped; empty when there is none to read."""
    path = Path(location.path)
    try:
        if path.suffix not in ("", ".py", NOTEBOOK) or not path.is_file():
            return ""
        if not is_notebook(path) and path.stat().st_size > LARGEST_SOURCE:
            return ""
    except (OSError, ValueError):
        return ""
    if is_notebook(location.path):
        source = source_at(location.path)
        return "" if source is None else source.line(location.line).strip()[:MOST_CHARACTERS]
    linecache.checkcache(location.path)
    return linecache.getline(location.path, location.line).strip()[:MOST_CHARACTERS]


def _text(line: Mapping[str, Any], name: str) -> str:
    value = line.get(name)
    return value[:MOST_CHARACTERS] if isinstance(value, str) else ""


def _number(line: Mapping[str, Any], name: str) -> int:
    value = line.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 else 0


def entries_as_of(ran: Ran, first: Evidence) -> tuple[LedgerEntry, ...]:
    """The ledger of a run, its places moved from a copy of the folder, and its files from a home folder of its own, to
    where the first run had them; nothing where it gave no evidence."""
    if not isinstance(ran, Evidence):
        return ()
    home = ran.spec.home

    def at_home(value: str) -> str:
        if home is None or not Path(value).is_relative_to(home.at):
            return value
        return str(home.source / Path(value).relative_to(home.at))

    return tuple(
        replace(entry, location=_moved(entry.location, ran, first), value=at_home(entry.value))
        for entry in load_entries(ran.spec.directory)
    )


def _moved(location: Location | None, ran: Evidence, first: Evidence) -> Location | None:
    if location is None or not Path(location.path).is_relative_to(ran.spec.cwd):
        return location
    return replace(location, path=str(first.spec.cwd / Path(location.path).relative_to(ran.spec.cwd)))
