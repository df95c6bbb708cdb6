"""Which line of a file a machine has to be told: that of a notebook's JSON, where a person is told cell and line."""

from __future__ import annotations

from functools import lru_cache

from reprocheck.model.places import cell_of
from reprocheck.protocol.notebook.cells import MOST_BYTES, line_in_file
from reprocheck.protocol.reading import read_whole


def line_of_file(path: str, line: int) -> int:
    """From 1. The first one, where a notebook is gone or has no such line any more."""
    if cell_of(path, line) is None:
        return max(1, line)
    return _of_notebook(path, line)


@lru_cache(maxsize=256)
def _of_notebook(path: str, line: int) -> int:
    try:
        text = read_whole(path, MOST_BYTES, follow=True).decode("utf-8")
    except (OSError, ValueError):
        return 1
    return line_in_file(text, line) or 1
