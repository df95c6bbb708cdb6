"""--fail-fast: notice, while runs of one seed are under way, that their steps have diverged. Reads only what is new."""

from __future__ import annotations

import os
from pathlib import Path

from reprocheck.model import RunSpec
from reprocheck.protocol import FLAG_TAIL, FLAG_THREAD, KIND_COUNT, RECORD_SIZE, STEP_HEADER, STEPS_FILE, digest_at
from reprocheck.protocol.reading import read_some


class FailFast:
    """Looks at the step records as they come. The chain of a record stands for all before it."""

    reason = "ended at the first difference (--fail-fast)"

    def __init__(self) -> None:
        self._started: dict[tuple[str, int], list[RunSpec]] = {}
        self._seen: dict[str, int] = {}

    def started(self, spec: RunSpec) -> None:
        """A run is under way; it is held against the first of its seed and revision."""
        side = spec.id[: spec.id.index(f"s{spec.seed}")]
        self._started.setdefault((side, spec.seed), []).append(spec)

    def has_diverged(self) -> bool:
        """Whether a run has diverged from the first one of its seed."""
        return any(self._has_diverged(group[0], other) for group in self._started.values() for other in group[1:])

    def _has_diverged(self, first: RunSpec, other: RunSpec) -> bool:
        paths = [spec.directory / STEPS_FILE for spec in (first, other)]
        common = min(map(_count, paths))
        if common <= self._seen.get(other.id, 0):
            return False
        self._seen[other.id] = common
        records = [_record(path, common - 1) for path in paths]
        if any(len(record) != RECORD_SIZE for record in records):  # cut off since, or no file of ours
            return False
        if any(STEP_HEADER.unpack_from(record)[2] & FLAG_TAIL for record in records):
            return False  # one of them is at its end: the whole comparison follows
        if any(map(_is_of_several, records)):  # independent optimizers may step in another order
            return False
        return digest_at(records[0], KIND_COUNT) != digest_at(records[1], KIND_COUNT)


def _count(path: Path) -> int:
    try:
        return os.path.getsize(path) // RECORD_SIZE
    except OSError:
        return 0


def _record(path: Path, index: int) -> bytes:
    try:
        return read_some(path, RECORD_SIZE, index * RECORD_SIZE)
    except OSError:
        return b""


def _is_of_several(record: bytes) -> bool:
    _, optimizer, flags, _ = STEP_HEADER.unpack_from(record)
    return optimizer > 0 or bool(flags & FLAG_THREAD)
