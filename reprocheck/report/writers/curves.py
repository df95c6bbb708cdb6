"""Lines over steps, drawn for a terminal on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Iterator

from reprocheck.engine.console import Style, clip, escape
from reprocheck.report.document import Curves

ROWS = 8
_WIDEST = 60
_NARROWEST = 20
_SYMBOLS = "o.x"
"""Of the first lines, the most important one on top."""


def drawn_curves(curves: Curves, style: Style) -> Iterator[str]:
    """Nothing where there is no terminal, or nothing to see."""
    width = min(_WIDEST, style.width - 14)
    lines = curves.shown[: len(_SYMBOLS)]
    points = [point for line in lines for point in line.points]
    if not style.plots or width < _NARROWEST or len({x for x, _ in points}) < 2:
        return
    (left, right), (low, high) = ((min(ends), max(ends)) for ends in zip(*points, strict=True))
    bottom, top = math.floor(math.log10(low)), max(math.ceil(math.log10(high)), math.floor(math.log10(low)) + 1)
    grid = [[" "] * width for _ in range(ROWS)]
    for symbol, line in reversed(list(zip(_SYMBOLS, lines, strict=False))):
        for x, y in line.points:
            column = round((x - left) / (right - left) * (width - 1))
            height = round((math.log10(y) - bottom) / (top - bottom) * (ROWS - 1))
            grid[ROWS - 1 - height][column] = symbol
    key = ", ".join(f"{symbol} {line.label}" for symbol, line in zip(_SYMBOLS, lines, strict=False))
    yield escape(clip(f"{curves.title}: {key}"), ascii_only=style.ascii)
    for number, row in enumerate(grid):
        label = f"1e{top}" if number == 0 else f"1e{bottom}" if number == ROWS - 1 else ""
        yield f"{label:>6} |{''.join(row)}".rstrip()
    start, end = f"{curves.x} {left:g}", f"{right:g}"
    yield " " * 8 + start + end.rjust(width - len(start))
