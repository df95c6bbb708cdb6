"""A metric over seeds, drawn for a terminal: a row for each seed with its runs, and the mean with its interval.

Drawn only where somebody looks (`Style.plots`); a file or a pipe gets the table alone, which says the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any

from reprocheck.engine.console import PLOT_SYMBOLS, Style, clip, escape
from reprocheck.model import MetricSummary

MOST_PLOTS = 3
MOST_ROWS = 12
"""Seeds with a row of their own; more share `SHARED_ROWS`."""
SHARED_ROWS = 4
_WIDEST = 60
_NARROWEST = 20
_BLANK = "\u2800"


def drawn_plots(metrics: Sequence[MetricSummary], style: Style) -> Iterator[str]:
    """The first few, an empty line before each; nothing where there is no terminal."""
    for plot in [plot for metric in metrics if (plot := plot_lines(metric, style))][:MOST_PLOTS]:
        yield from ("", *plot)


def plot_lines(metric: MetricSummary, style: Style) -> list[str]:
    """The lines, or nothing where there is nothing to see: no terminal, one seed, equal or boundless numbers."""
    ends = bounds(metric)
    if not style.plots or ends is None:
        return []
    low, high = ends
    labels = list(row_labels(metric))
    indent = max(map(len, labels)) + 2
    width = min(_WIDEST, style.width - indent - 4)
    if width < _NARROWEST:
        return []
    rows = _canvas(metric, len(labels), width, low, high, style.ascii)
    start, end = f"{low:.6g}", f"{high:.6g}"
    axis = start + end.rjust(width - len(start))
    drawn = [f"{label:<{indent}}{row}".rstrip() for label, row in zip(labels, rows, strict=True)]
    return [escape(clip(metric.name), ascii_only=style.ascii), *drawn, " " * indent + axis]


def bounds(metric: MetricSummary) -> tuple[float, float] | None:
    """Between which numbers a metric is drawn; None where nothing is to be seen: one seed, equal or boundless ones."""
    values = [value for _, of_seed in metric.values for value in of_seed]
    if metric.interval is None or not values or min(values) == max(values):
        return None
    low, high = min(*values, metric.interval[0]), max(*values, metric.interval[1])
    # An interval of few seeds may dwarf the seeds themselves: then its ends lie outside.
    room = 2 * (max(values) - min(values))
    low, high = max(low, min(values) - room), min(high, max(values) + room)
    return (low, high) if low < high and isfinite(low) and isfinite(high) else None


def row_labels(metric: MetricSummary) -> Iterator[str]:
    """A row for each seed, or few that they share, and one for the mean."""
    if len(metric.values) <= MOST_ROWS:
        yield from (f"seed {seed}" for seed, _ in metric.values)
    else:
        yield f"{len(metric.values)} seeds"
        yield from [""] * (SHARED_ROWS - 1)
    yield "mean"


def _canvas(metric: MetricSummary, rows: int, width: int, low: float, high: float, ascii_only: bool) -> list[str]:
    from plotille import Canvas

    margin = (high - low) / (width - 1) / 2  # both ends fall into the middle of a character
    canvas: Any = Canvas(width, rows, low - margin, 0.0, high + margin, float(rows))
    run, first, mean, bar = tuple("oo+-" if ascii_only else PLOT_SYMBOLS)
    for place, (_, values) in enumerate(metric.values):
        y = rows - 0.5 - (place % (rows - 1))
        for value in reversed(values):
            canvas.point(value, y, marker=first if value == values[0] else run)
    assert metric.interval is not None
    for column in range(width):
        x = low + (high - low) * column / (width - 1)
        if metric.interval[0] - margin <= x <= metric.interval[1] + margin:
            canvas.point(x, 0.5, marker=bar)
    if metric.interval[0] < low:
        canvas.point(low, 0.5, marker="<")
    if metric.interval[1] > high:
        canvas.point(high, 0.5, marker=">")
    canvas.point(metric.mean, 0.5, marker=mean)
    text: str = canvas.plot()
    return [line.replace(_BLANK, " ") for line in text.splitlines()]
