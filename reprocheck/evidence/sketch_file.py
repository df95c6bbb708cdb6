"""The files of a sketch → Sketch. Nothing in them is trusted: a target may have written to them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprocheck.evidence.run import readable
from reprocheck.model.drift import Row, Sketch
from reprocheck.protocol import SKETCH_FILE, SKETCH_TABLE_FILE, reading
from reprocheck.protocol.sketch_format import (
    BLOCK,
    KINDS,
    MOST_BYTES,
    MOST_ROWS,
    MOST_TABLE,
    SAMPLES,
    SKETCH_VERSION,
    VALUES,
    looked_at,
)

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

MOST_ELEMENTS = 2**48
"""Of one tensor."""
MOST_DIMENSIONS = 64
MOST_BLOCKS = 200_000


def load_sketch(folder: Path) -> Sketch:
    """The sketch in a run folder. Raises EvidenceUnreadable."""
    with readable(folder, "sketch"):
        rows, precisions, full = _table(folder / SKETCH_TABLE_FILE)
        return Sketch(
            run=folder.name, rows=rows, steps=_blocks(folder / SKETCH_FILE, rows), precisions=precisions, full=full
        )


def _table(path: Path) -> tuple[tuple[Row, ...], tuple[str, ...], int | None]:
    rows: list[Row] = []
    precisions: dict[str, None] = {}
    full, size = None, 0
    for number, line in enumerate(reading.read_lines(path, cut=True)):
        if number == 0 and line.get("sketch") != SKETCH_VERSION:
            raise ValueError("it is of another version")
        if "row" in line:
            if reading.whole(line["row"]) != len(rows) or len(rows) >= MOST_ROWS:
                raise ValueError("a row is missing")
            rows.append(_row(line))
            size += len(rows[-1].name)
            if size > MOST_TABLE:
                raise ValueError("it is too large")
        elif "precision" in line:
            precisions[reading.text(line["precision"])[:32]] = None
        elif "full" in line:
            full = reading.whole(line["full"])
    return tuple(rows), tuple(precisions)[:8], full


def _row(line: Mapping[str, Any]) -> Row:
    shape = tuple(reading.whole(size, most=MOST_ELEMENTS) for size in reading.items(line["shape"]))
    if len(shape) > MOST_DIMENSIONS or line["kind"] not in KINDS:
        raise ValueError("a row is damaged")
    elements = math.prod(shape)
    if not 0 < elements <= MOST_ELEMENTS:
        raise ValueError("a row has no size")
    return Row(
        kind=reading.text(line["kind"]),
        name=reading.text(line["name"]),
        dtype=reading.text(line["dtype"]),
        shape=shape,
        elements=elements,
        samples=min(elements, SAMPLES),
        looked_at=looked_at(elements),
    )


def _blocks(path: Path, rows: tuple[Row, ...]) -> dict[int, dict[int, Array]]:
    """A block that was cut off at the end is left out."""
    import numpy as np

    data = reading.read_whole(path, MOST_BYTES)
    found: dict[int, dict[int, Array]] = {}
    at = blocks = 0
    last = -1
    while at + BLOCK.size <= len(data):
        step, count = BLOCK.unpack_from(data, at)
        at += BLOCK.size
        if not count or count > 2 * len(rows):
            raise ValueError("a block has no such rows")
        stop = at + count * (4 + 8 * VALUES)
        if stop > len(data):
            break
        numbers = np.frombuffer(data, "<u4", count, at)
        values = np.frombuffer(data, "<f8", count * VALUES, at + 4 * count).reshape(count, VALUES)
        at = stop
        blocks += 1
        if step < last or int(numbers.max()) >= len(rows) or blocks > MOST_BLOCKS:
            raise ValueError("a block is out of place")
        last = step
        found.setdefault(step, {}).update(zip(numbers.tolist(), values, strict=True))
    return found
