"""Ranks that stand still: which of them did not come to a collective in which the others wait."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from reprocheck.protocol import EVIDENCE_FILE, reading
from reprocheck.protocol.rank_folders import RANK_RECORD, is_closed, rank_folders
from reprocheck.protocol.rank_places import Call, Place, read_place

MOST_NAMED = 4
"""Ranks that a sentence tells of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One rank of a run that does not go on."""

    rank: int
    closed: bool
    """It has come to its end."""
    gone: bool
    """Its process is no more."""
    place: Place | None
    """None: it did not answer."""


def standings(run: Path, has_ended: Callable[[int], bool]) -> list[Standing]:
    """Of all ranks, the process that was it last. `has_ended`: whether a process is no more."""
    found: dict[int, Standing] = {}
    own = read_place(run)
    if own is not None:  # the process of the run is a rank itself
        found[own.rank] = Standing(rank=own.rank, closed=is_closed(run), gone=False, place=own)
    for rank, _, folder in rank_folders(run):
        pid, is_rank = _identity(folder)
        if is_rank:
            gone = pid is not None and has_ended(pid)
            place = None if gone else read_place(folder)
            found[rank] = Standing(rank=rank, closed=is_closed(folder), gone=gone, place=place)
    return [found[rank] for rank in sorted(found)]


def _identity(folder: Path) -> tuple[int | None, bool]:
    """The number of a rank's process, and whether it has said that it is one."""
    try:
        lines = list(islice(reading.read_lines(folder / EVIDENCE_FILE, cut=True), 2))
        pid = reading.whole_or_none(lines[0].get("pid")) if lines else None
        return pid, any(line.get("record") == RANK_RECORD for line in lines)
    except (OSError, ValueError):
        return None, True


def told(ranks: Sequence[Standing], folder: Path) -> str:
    """One sentence for a person. `folder`: places in it are named from there."""
    places = {one.rank: one.place for one in ranks if one.place is not None and not one.closed}
    name = _furthest_group(ranks, places)
    if name is None:
        silent = [one for one in ranks if one.rank not in places and not one.closed]
        return _each([_fell_silent(one, folder) for one in silent or ranks])
    most = max(place.groups[name] for place in places.values() if name in place.groups)
    behind = [one for one in ranks if _is_behind(one, places, name, most)]
    if behind:
        return _behind(ranks, behind, places, name, most, folder)
    last = {rank: _call(place, name, most) for rank, place in places.items() if name in place.groups}
    kinds = {(call.kind, call.inputs) for call in last.values() if call is not None}
    if len(kinds) > 1:
        parts = [
            f"{call.kind}{f' of {call.inputs}' if call.inputs else ''} in rank {rank}{_at(places[rank], folder)}"
            for rank, call in last.items()
            if call is not None
        ]
        return f"collective {most} of group {name} is not the same in all ranks: {_each(parts)}"
    parts = [f"rank {rank}{_at(place, folder)}" for rank, place in places.items()]
    return f"all ranks stand still after collective {most} of group {name}: {_each(parts)}"


def _furthest_group(ranks: Sequence[Standing], places: Mapping[int, Place]) -> str | None:
    """The one to look at: in which a rank is behind, else the one that was used most. Which is the older of two, that
    the members of each share, nobody knows."""
    numbers: dict[str, list[int]] = {}
    for place in places.values():
        for name, number in place.groups.items():
            numbers.setdefault(name, []).append(number)
    used = {name: max(found) for name, found in numbers.items() if max(found)}
    if not used:
        return None
    uneven = [name for name in used if min(numbers[name]) < used[name]]
    whole = [name for name in used if len(numbers[name]) == len(places)]
    return max(uneven or whole or list(used), key=lambda name: used[name])


def _is_behind(one: Standing, places: Mapping[int, Place], name: str, most: int) -> bool:
    """A rank that does not answer may be in no group but the first, of which all are."""
    place = places.get(one.rank)
    if place is not None:
        return place.groups.get(name, most) < most
    return name == "0" or all(name in other.groups for other in places.values())


def _behind(
    ranks: Sequence[Standing],
    behind: Sequence[Standing],
    places: Mapping[int, Place],
    name: str,
    most: int,
    folder: Path,
) -> str:
    """Others wait for a rank that has not begun what they have begun."""
    known = [places[one.rank].groups.get(name, 0) for one in behind if one.rank in places]
    number = min(known) + 1 if known else most
    waiting = [one for one in ranks if one not in behind and one.rank in places and name in places[one.rank].groups]
    call = next((found for one in waiting if (found := _call(places[one.rank], name, number)) is not None), None)
    kind = "collective" if call is None else call.kind
    first = _each([_fell_silent(one, folder) for one in behind])
    wait = _each([f"rank {one.rank} waits there{_at(places[one.rank], folder)}" for one in waiting])
    return f"{first}, {'before' if known else 'at or before'} {kind} {number} of group {name}; {wait}"


def _call(place: Place, name: str, number: int) -> Call | None:
    return next((call for call in reversed(place.calls) if (call.group, call.number) == (name, number)), None)


def _fell_silent(one: Standing, folder: Path) -> str:
    if one.closed:
        return f"rank {one.rank} came to its end"
    if one.gone:
        return f"rank {one.rank} was killed, or ended its process before its evidence was closed"
    if one.place is None:
        return f"rank {one.rank} fell silent and does not answer"
    within = one.place.within
    return f"rank {one.rank} fell silent{_at(one.place, folder)}" + (f" in {within}()" if within.isidentifier() else "")


def _at(place: Place, folder: Path) -> str:
    if not place.path:
        return " (at its end)"
    path = os.path.relpath(place.path, folder) if place.path.startswith(f"{folder}{os.sep}") else place.path
    return f" at {path}:{place.line}"


def _each(parts: Sequence[str]) -> str:
    more = len(parts) - MOST_NAMED
    return ", ".join(parts[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


_OF_OTHERS = ("by peer", "DistNetworkError", "DistBackendError", "Socket", "BrokenPipe")
"""Words in the error of a rank that others have left alone."""
_ROOT_CAUSE = re.compile(r"Root Cause.{0,400}?rank\s*: (\d{1,7}) .{0,80}?exitcode\s*: (-?\d{1,3}) ", re.DOTALL)
"""In the summary of torch's elastic agent, which saw the end of each rank."""
_MOST_ERROR = 1 << 20
_LONGEST = 300


def told_of_failure(run: Path, printed: str) -> str:
    """What the ranks of a failed run say themselves: those with an error of their own, else the one that was killed and
    those that were left alone. Empty where nothing is known. `printed`: the end of what the run printed."""
    own: list[str] = []
    alone: list[str] = []
    killed: list[str] = []
    last = {rank: folder for rank, _, folder in rank_folders(run)}
    for rank, folder in last.items():
        try:
            end = reading.table(reading.parse_json(reading.read_last_line(folder / EVIDENCE_FILE, _MOST_ERROR)))
            error = reading.text(end["error"]) if end.get("record") == "end" else None
        except (KeyError, OSError, ValueError):
            error = None
        if error is None:
            killed.append(f"rank {rank} was killed, or ended its process before its evidence was closed")
        elif error:
            text = f"rank {rank}: {' '.join(error.split())[:_LONGEST]}"
            (alone if any(word in error for word in _OF_OTHERS) else own).append(text)
    if own:
        return _each(own)
    seen = _ROOT_CAUSE.search(printed)
    if seen is not None and int(seen[1]) in last:
        code = int(seen[2])
        how = f"ended by signal {-code}" if code < 0 else f"ended with status {code}"
        return _each([f"rank {seen[1]} was {how}" if code < 0 else f"rank {seen[1]} {how}", *alone])
    return _each([*(killed if len(killed) < len(last) else ()), *alone])  # the others of one may all be ended for it
