"""Places in source files as a person names them: `train.py:41`, `analysis.ipynb cell 7, line 3`.

A line of a notebook is numbered over its cells, of which each has room for CELL_LINES: line 3 of cell 7 is 70003. So a
path and a number name any line of source, and every stage treats notebooks as it treats files. Cells are numbered as
Jupyter numbers them when it runs all of a notebook: code cells that are not empty, from 1.
"""

from __future__ import annotations

import os

NOTEBOOK = ".ipynb"
SESSION_PREFIX = "reprocheck-notebook-"
"""How the folder is named that holds the cells of a running notebook."""
CELL_LINES = 10_000


def is_notebook(path: str | os.PathLike[str]) -> bool:
    """By its name, as Jupyter does."""
    return os.fspath(path).endswith(NOTEBOOK)


def is_session(path: str | os.PathLike[str]) -> bool:
    """Cells of a running notebook, written down to be run: no file of the user's."""
    folder = os.path.basename(os.path.dirname(os.fspath(path)))
    return is_notebook(path) and folder.startswith(SESSION_PREFIX)


def cell_of(path: str | os.PathLike[str], line: int) -> tuple[int, int] | None:
    """The cell, and the line in it; None for what is no line of a notebook."""
    return divmod(line, CELL_LINES) if is_notebook(path) and line >= CELL_LINES else None


def line_in_notebook(cell: int, line: int) -> int:
    """The number of a line over all cells."""
    return cell * CELL_LINES + line


def columns_in(line: str, start: int, end: int) -> tuple[int, int] | None:
    """Where an expression is in a line without its indentation, from the bytes at which it is in the whole line, as
    Python counts them. None where it is not in it, or is all of it."""
    data = line.encode("utf-8", "surrogatepass")
    indentation = len(line) - len(line.lstrip())
    found = tuple(len(data[:at].decode("utf-8", "replace")) - indentation for at in (start, end))
    first, last = max(0, found[0]), min(found[1], len(line.strip()))
    return (first, last) if 0 <= start < end and first < last and last - first < len(line.strip()) else None


def line_text(path: str | os.PathLike[str], line: int) -> str:
    """`line 41`, `cell 7, line 3`."""
    cell = cell_of(path, line)
    return f"line {line}" if cell is None else f"cell {cell[0]}, line {cell[1]}"


def place_text(path: str | os.PathLike[str], line: int) -> str:
    """`train.py:41`, `analysis.ipynb cell 7, line 3`. The path is as it is given."""
    name = os.path.basename(path) if is_session(path) else os.fspath(path)
    return f"{name}:{line}" if cell_of(path, line) is None else f"{name} {line_text(path, line)}"


def short_place(path: str | os.PathLike[str], line: int) -> str:
    """The same without the folder."""
    return place_text(os.path.basename(os.fspath(path)), line)


def shown_line(path: str | os.PathLike[str], line: int) -> int:
    """The number that stands beside a line of source: in a notebook it counts from the start of the cell."""
    cell = cell_of(path, line)
    return line if cell is None else cell[1]
