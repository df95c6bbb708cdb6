"""A static look at the user's source: lines where order, chance or old state may come in. Nothing is executed.

A hit adds a line or confidence to a finding, never a verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from reprocheck.diagnosis.source.memory import find_memory
from reprocheck.diagnosis.source.order import find_order
from reprocheck.diagnosis.source.parallel import find_parallel
from reprocheck.diagnosis.source.parse import Source, parse
from reprocheck.diagnosis.source.random_calls import find_random
from reprocheck.diagnosis.source.seeds import find_seeds
from reprocheck.diagnosis.source.state import find_state
from reprocheck.model.explanation import SourceHit
from reprocheck.protocol.reading import read_source

MOST_FILES = 400
MOST_BYTES = 1 << 20
"""A larger file is generated rather than written."""
MOST_HITS = 300
"""In one file."""

_FINDERS: tuple[Callable[[Source], Iterable[SourceHit]], ...] = (
    find_order,
    find_random,
    find_seeds,
    find_memory,
    find_state,
    find_parallel,
)


def scan(paths: Iterable[Path]) -> tuple[SourceHit, ...]:
    """Every pattern in these files, by file and line. What cannot be read or parsed is passed over."""
    found: list[SourceHit] = []
    for path in sorted({Path(path) for path in paths})[:MOST_FILES]:
        source = _read(path)
        if source is not None:
            hits = {(hit.pattern, hit.location.line): hit for finder in _FINDERS for hit in finder(source)}
            ordered = sorted(hits.values(), key=lambda hit: (hit.location.line, hit.pattern))
            found.extend(ordered[:MOST_HITS])
    return tuple(found)


def _read(path: Path) -> Source | None:
    try:
        data = read_source(path)
    except OSError:
        return None
    if len(data) - data.count(b"\n") > MOST_BYTES:  # most lines between cells are empty
        return None
    return parse(str(path), data)
