"""Initial weights where ranks train: those of one rank are shown, the others are held against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reprocheck.commands.params.model import Start
from reprocheck.commands.params.read import read_start
from reprocheck.evidence.ranks import outcomes_of_ranks
from reprocheck.model import Outcome
from reprocheck.report.sections.ranks import named

MOST_NAMES = 3


def read_starts(outcome: Outcome) -> tuple[Start, tuple[str, ...]]:
    """Of the process of the run, which may be one of several ranks; where it has none, of its lowest rank; with what is
    to be said of the other ranks. Raises EvidenceUnreadable."""
    start, notes = read_start(outcome)
    ranks = {rank: read_start(one) for rank, one in outcomes_of_ranks(outcome).items()}
    starts = {rank: found for rank, (found, _) in ranks.items() if found.tensors}
    missing = set(range(len(starts) + 1)) - starts.keys()
    if start.tensors and starts and len(missing) == 1:
        starts[missing.pop()] = start
        return start, (*notes, *compared(starts))
    if start.tensors or not starts:
        return start, notes
    first = min(starts)
    return starts[first], (*notes, *ranks[first][1], *compared(starts))


def compared(starts: Mapping[int, Start]) -> Iterator[str]:
    """The starts of all ranks against that of the lowest. A sharded tensor has another part in each."""
    first, *others = sorted(starts)
    if not others:
        return
    own = {(tensor.root, tensor.name): tensor for tensor in starts[first].tensors}
    same = []
    for rank in others:
        theirs = {(tensor.root, tensor.name): tensor for tensor in starts[rank].tensors}
        differing = [
            name
            for (root, name), one in own.items()
            if (other := theirs.get((root, name))) is None
            or (not one.placements and one.kind == "parameter" and one.digest != other.digest)
        ]
        if differing:
            more = f" and {len(differing) - MOST_NAMES} more" if differing[MOST_NAMES:] else ""
            shown = ", ".join(differing[:MOST_NAMES])
            yield f"initial weights of rank {rank} are not those of rank {first}: {shown}{more}"
        else:
            same.append(rank)
    if same:
        whole = "; of sharded tensors each has a part" if any(tensor.placements for tensor in own.values()) else ""
        yield f"these are the initial weights of rank {first}; {named(same)} started from the same ones{whole}"
