"""Two step histories, kind by kind: where they are equal, differ, or cannot be compared. It decides nothing."""

from __future__ import annotations

from reprocheck.compare.steps import Records
from reprocheck.model import StepGrid
from reprocheck.model.difference import DIFFERENT, EQUAL, NOT_COMPARED, NOTHING
from reprocheck.protocol import (
    DECIDING_KINDS,
    DIGEST_SIZE,
    FLAG_DEVICE,
    KIND_COUNT,
    RECORD_SIZE,
    STEP_HEADER,
    STEP_KINDS,
    count_steps,
)

MOST_CELLS = 120
"""In a row; with more steps each stands for several."""
GENERATORS = "generators"
_RANKED = NOTHING + EQUAL + NOT_COMPARED + DIFFERENT
"""Of the steps of a cell the last one of these is shown."""


def step_grid(a: Records, b: Records, runs: tuple[str, str]) -> StepGrid | None:
    """Every step of both; None without one."""
    import numpy as np

    counts = count_steps(a), count_steps(b)
    common, steps = min(counts), max(counts)
    if not common:
        return None
    nothing, equal, not_compared, different = range(len(_RANKED))
    left, right = (np.frombuffer(data, np.uint8, common * RECORD_SIZE).reshape(common, RECORD_SIZE) for data in (a, b))
    states = np.full((steps, KIND_COUNT), not_compared, np.uint8)
    for index in range(KIND_COUNT):
        start = STEP_HEADER.size + DIGEST_SIZE * index
        one, other = left[:, start : start + DIGEST_SIZE], right[:, start : start + DIGEST_SIZE]
        states[:common, index] = np.where((one != other).any(axis=1), different, equal)
        states[:common, index][~(one.any(axis=1) | other.any(axis=1))] = nothing
    flags = (left[:, 8] ^ right[:, 8]) & FLAG_DEVICE  # the third field of the header, little-endian
    states[:common][flags != 0] = not_compared
    width = -(-steps // MOST_CELLS)
    cells = np.maximum.reduceat(states, np.arange(0, steps, width), axis=0)
    rows = {kind: cells[:, index] for index, kind in enumerate(STEP_KINDS) if kind in DECIDING_KINDS}
    rng = [index for index, kind in enumerate(STEP_KINDS) if kind.startswith("rng ")]
    rows[GENERATORS] = cells[:, rng].max(axis=1)
    written = {kind: "".join(_RANKED[state] for state in row) for kind, row in rows.items()}
    seen = tuple((kind, row) for kind, row in written.items() if EQUAL in row or DIFFERENT in row)
    return StepGrid(runs=runs, steps=steps, width=width, rows=seen)
