"""How a difference between two runs went from rank to rank: the collectives of all ranks of both, side by side. Pure.

Ranks have no common order. What is seen is, for each collective, which ranks gave it something else than in the other
run, and which got something else from it; one before which nothing else that came from others differed is the one
through which the difference spread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from reprocheck.evidence.collectives_file import Collective, load_collectives
from reprocheck.model.explanation import Spread
from reprocheck.protocol.collective_format import COLLECTIVES_FILE
from reprocheck.protocol.rank_folders import RANKS_FOLDER, rank_folders

Pair = tuple[Collective, Collective]


def find_spread(a: Path, b: Path) -> Spread | None:
    """Of two traced runs. Raises EvidenceUnreadable. None where no collective differs, or not all is known."""
    left, right = _of_ranks(a), _of_ranks(b)
    if left.keys() != right.keys() or len(left) < 2:
        return None
    pairs = {rank: _paired(left[rank], right[rank]) for rank in left}
    firsts = {rank: _first_that_brought(own) for rank, own in pairs.items()}
    for rank in sorted(pairs):
        number = firsts[rank]
        if number is None:
            continue
        one = pairs[rank][number][0]
        places = {other: _place_of(one, own) for other, own in pairs.items()}
        members = {other: place for other, place in places.items() if place is not None}
        if len(members) != one.size or any(_is_later(place, firsts[other]) for other, place in members.items()):
            continue
        return _spread(one, {other: pairs[other][place] for other, place in members.items()})
    return None


def _of_ranks(run: Path) -> dict[int, tuple[Collective, ...]]:
    return {rank: load_collectives(folder) for rank, folder in folders_of_ranks(run).items()}


def folders_of_ranks(run: Path) -> dict[int, Path]:
    """By rank, the first process of each. That of the run may be one itself (Lightning): the one that is missing."""
    found = {rank: folder for rank, start, folder in rank_folders(run) if not start}
    missing = set(range(len(found) + 1)) - found.keys()
    if found and len(missing) == 1 and (run / COLLECTIVES_FILE).exists():
        found[missing.pop()] = run
    return found


def run_of(folder: Path) -> Path:
    """The folder of the run that a rank, or the run itself, has its evidence in."""
    return folder.parent.parent if folder.parent.name == RANKS_FOLDER else folder


def _paired(a: Sequence[Collective], b: Sequence[Collective]) -> list[Pair]:
    """As far as both did the same ones."""
    found: list[Pair] = []
    for one, other in zip(a, b, strict=False):
        if one.key != other.key:
            break
        found.append((one, other))
    return found


def _first_that_brought(pairs: Sequence[Pair]) -> int | None:
    """The first from which a rank got something else."""
    return next((number for number, pair in enumerate(pairs) if _differs(pair[0].outputs, pair[1].outputs)), None)


def _differs(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> bool:
    return one is not None and other is not None and one != other


def _place_of(one: Collective, pairs: Sequence[Pair]) -> int | None:
    return next((number for number, pair in enumerate(pairs) if pair[0].key == one.key), None)


def _is_later(place: int, first: int | None) -> bool:
    """Whether a rank had got something else from an earlier collective."""
    return first is not None and first < place


def _spread(one: Collective, pairs: Mapping[int, Pair]) -> Spread | None:
    if any(pair[0].inputs is None or pair[1].inputs is None for pair in pairs.values()):
        return None
    return Spread(
        op=one.op,
        group=one.group,
        sequence=one.sequence,
        step=one.step,
        forms=next((pair[0].forms for pair in pairs.values() if pair[0].forms), ()),
        path=one.path,
        line=one.line,
        ranks=tuple(sorted(pairs)),
        gave=tuple(sorted(rank for rank, pair in pairs.items() if _differs(pair[0].inputs, pair[1].inputs))),
        got=tuple(sorted(rank for rank, pair in pairs.items() if _differs(pair[0].outputs, pair[1].outputs))),
    )
