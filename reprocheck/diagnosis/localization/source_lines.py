"""Lines of the user's source, read as plain text: the files may be gone, huge, or no text at all."""

from __future__ import annotations

from functools import lru_cache

from reprocheck.protocol.reading import read_source

LONGEST_LINE = 400


def source_line(path: str, line: int) -> str:
    """One line, stripped; empty when it cannot be read."""
    lines = _lines(path)
    return lines[line - 1].strip()[:LONGEST_LINE] if 0 < line <= len(lines) else ""


@lru_cache(maxsize=64)
def _lines(path: str) -> tuple[str, ...]:
    try:
        data = read_source(path)
    except OSError:
        return ()
    return () if b"\0" in data else tuple(data.decode("utf-8", "replace").splitlines())
