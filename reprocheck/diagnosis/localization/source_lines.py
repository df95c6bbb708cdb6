"""Lines of the user's source, read as plain text: the files may be gone, huge, or no text at all."""

from __future__ import annotations

from functools import lru_cache

from reprocheck.model import Location
from reprocheck.model.places import columns_in
from reprocheck.protocol.reading import read_source

LONGEST_LINE = 400


def source_line(path: str, line: int) -> str:
    """One line, stripped; empty when it cannot be read."""
    lines = _lines(path)
    return lines[line - 1].strip()[:LONGEST_LINE] if 0 < line <= len(lines) else ""


def place_in(path: str, line: int, columns: tuple[int, ...] = ()) -> Location:
    """A line, and in it the expression between these two bytes."""
    lines = _lines(path)
    known = len(columns) == 2 and 0 < line <= len(lines)
    return Location(path=path, line=line, columns=columns_in(lines[line - 1], *columns) if known else None)


@lru_cache(maxsize=64)
def _lines(path: str) -> tuple[str, ...]:
    try:
        data = read_source(path)
    except OSError:
        return ()
    return () if b"\0" in data else tuple(data.decode("utf-8", "replace").splitlines())
