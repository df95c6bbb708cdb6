"""Write a trace: records in blocks, their tables before them, values into a ring."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

from reprocheck.protocol import TRACE_FILE, TRACE_TABLE_FILE, TRACE_VALUES_FILE
from reprocheck.protocol.trace_format import (
    LARGEST_VALUE,
    MOST_FORMS,
    RECORD,
    RING_BYTES,
    TEXT_HEADER,
    TRACE_VERSION,
    UNIT,
)
from reprocheck.worker.inputs.own_file import OwnFile

BLOCK = 1 << 16
MOST_EVENTS = 500_000
MOST_VALUES = 200_000
"""Entries of the ring that can be found again by their digest."""

_pack = RECORD.pack

Describe = Callable[[], dict[str, Any]]


class Table:
    """Numbers for things, each written down once. 0 is for what there is no more room for."""

    def __init__(self, name: str, limit: int, lines: list[str]) -> None:
        self._name = name
        self._limit = limit
        self._lines = lines
        self._lock = threading.Lock()
        self.numbers: dict[Hashable, int] = {}

    def add(self, key: Hashable, describe: Describe) -> int:
        """The number of a key that was not found in `numbers`."""
        with self._lock:
            known = self.numbers.get(key)
            if known is not None:
                return known
            if len(self.numbers) >= self._limit:
                return 0
            number = len(self.numbers) + 1
            self._lines.append(json.dumps({self._name: number, **describe()}, default=str))
            self.numbers[key] = number
            return number


class TraceWriter:
    """The trace files of this process."""

    def __init__(self, folder: Path, first: int, inputs: bool, keep_values: bool) -> None:
        files = (folder / name for name in (TRACE_FILE, TRACE_TABLE_FILE, TRACE_VALUES_FILE))
        self._records, self._tables, self._values = (OwnFile(file) for file in files)
        self.keeps = keep_values
        """Whether the bytes of tensors are kept."""
        self._lines = [json.dumps({"trace": TRACE_VERSION, "first": first, "inputs": inputs})]
        self._pending = bytearray()
        self._lock = threading.RLock()
        self._end = 0
        """Bytes that ever went into the ring, with what was left free."""
        self._places: dict[int, int] = {}
        self.events = Table("event", MOST_EVENTS, self._lines)
        self.forms = Table("form", MOST_FORMS, self._lines)
        self.threads = Table("thread", MOST_EVENTS, self._lines)

    def record(self, event: int, storage: int, digest: int, form: int, role: int, value: int) -> None:
        """One record; on disk with its block."""
        self._pending.extend(_pack(event, storage, digest, form, role, value))

    def end_operation(self) -> None:
        """The records so far may go to disk."""
        if len(self._pending) >= BLOCK:
            self.flush()

    def flush(self) -> None:
        """Bring to disk all there is, tables first."""
        with self._lock:
            records = bytes(self._pending)
            lines = self._lines[:]
            if lines:
                self._tables.write(("\n".join(lines) + "\n").encode())
                del self._lines[: len(lines)]
            self._records.write(records)
            del self._pending[: len(records)]

    def place_of(self, digest: int) -> int:
        """Where the bytes with this digest are kept; 0 where they are not."""
        place = self._places.get(digest, 0)
        return place if (place - 1) * UNIT >= self._end - RING_BYTES else 0

    def keep(self, digest: int, data: memoryview) -> int:
        """Keep the bytes of a tensor; where, or 0."""
        if not self.keeps or not data.nbytes or data.nbytes > LARGEST_VALUE:
            return 0
        return self.place_of(digest) or self._append(digest, data)

    def keep_text(self, digest: int, describe: Callable[[], str]) -> int:
        """Keep what arguments with this digest read like."""
        if not self.keeps:
            return 0
        place = self.place_of(digest)
        if place:
            return place
        text = describe().encode("utf-8", "backslashreplace")[:4096]
        return self._append(digest, memoryview(TEXT_HEADER.pack(digest, len(text)) + text))

    def _append(self, digest: int, data: memoryview) -> int:
        with self._lock:
            start = -(-self._end // UNIT) * UNIT
            if start % RING_BYTES + data.nbytes > RING_BYTES:  # entries are not split
                start = -(-start // RING_BYTES) * RING_BYTES
            if start // UNIT + 1 >= 1 << 32:
                return 0
            self._values.write_at(start % RING_BYTES, data)
            self._end = start + data.nbytes
            if len(self._places) >= MOST_VALUES:
                for old in list(self._places)[: MOST_VALUES // 2]:
                    del self._places[old]
            place = self._places[digest] = start // UNIT + 1
            return place

    def close(self) -> None:
        """The end of the trace."""
        with self._lock:
            self.flush()
            end = json.dumps({"end": self._records.end // RECORD.size})
            self._tables.write(f"{end}\n".encode())
