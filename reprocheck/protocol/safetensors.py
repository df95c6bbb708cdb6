"""The header of a safetensors file: where each tensor lies in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reprocheck.protocol.reading import items, parse_json, text, whole

LARGEST_HEADER = 100 * 2**20
METADATA = "__metadata__"
"""Its key in the header; no tensor is called so."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor; `start` and `end` count from the end of the header."""

    dtype: str
    shape: list[int]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the values."""

    size: int
    """Bytes before the first value."""
    metadata: Mapping[str, Any] | None
    tensors: Mapping[str, StoredTensor]


def read_header(read: Callable[[int, int], bytes]) -> Header:
    """`read`: so many bytes from a place on. Raises ValueError."""
    length = read(0, 8)
    size = int.from_bytes(length, "little")
    if len(length) < 8 or size > LARGEST_HEADER or len(data := read(8, size)) < size:
        raise ValueError("its header is damaged or cut short")
    try:
        header = parse_json(data)
    except ValueError as error:
        raise ValueError(f"its header is damaged: {error}") from error
    if not isinstance(header, dict):
        raise ValueError("its header is damaged")
    metadata = header.pop(METADATA, None)
    if metadata is not None and not isinstance(metadata, dict):
        raise ValueError(f"its header is damaged at {METADATA!r}")
    return Header(8 + size, metadata, {key: _stored(key, entry) for key, entry in header.items()})


def _stored(key: str, entry: Any) -> StoredTensor:
    try:
        start, end = (whole(number) for number in items(entry["data_offsets"]))
        shape = [whole(number) for number in items(entry["shape"])]
        return StoredTensor(text(entry["dtype"]), shape, start, end)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"its header is damaged at {key!r}: {error}") from error
