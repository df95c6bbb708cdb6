"""Runs by steps and kinds as a drawing. Height and place say the same as the colours; each row has its words, too."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from reprocheck.model import StepGrid
from reprocheck.model.difference import DIFFERENT, EQUAL, NOT_COMPARED, NOTHING
from reprocheck.report.writers.page.markup import Markup, element, joined

_FIRST = "first"
_STATES = {
    EQUAL: ("equal", "same"),
    _FIRST: ("first difference", "first"),
    DIFFERENT: ("different", "after"),
    NOT_COMPARED: ("not compared", "unknown"),
    NOTHING: ("nothing was observed", "nothing"),
}
"""State → its words and its class."""
_HEIGHTS = {EQUAL: 4, _FIRST: 16, DIFFERENT: 10, NOT_COMPARED: 2, NOTHING: 0}
_HEIGHT = 16
Piece = tuple[str, int, int]
"""A state, its first cell, and the one after its last."""


def step_grids(grids: Sequence[StepGrid]) -> Markup:
    """A figure for each pair of runs, with one legend."""
    legend = (element("span", _swatch(state), " ", words) for state, (words, _) in _STATES.items() if _HEIGHTS[state])
    return joined([*map(_figure, grids), element("p", *legend, class_="legend")])


def _figure(grid: StepGrid) -> Markup:
    one, other = grid.runs
    each = "" if grid.width == 1 else f", {grid.width} to a cell"
    title = ("run ", element("code", other), " against ", element("code", one), f": {grid.steps} steps{each}")
    first = _first(grid)
    rows = [_row(grid, kind, cells, first) for kind, cells in grid.rows]
    scale = element("div", element("span", "step 0"), element("span", f"step {grid.steps - 1}"), class_="scale")
    rows.append(element("tr", element("td"), element("td", scale), element("td")))
    return element(
        "figure",
        element("figcaption", *title),
        element("table", element("tbody", *rows)),
        class_="steps",
    )


def _first(grid: StepGrid) -> tuple[str, int] | None:
    """The kind and the cell of the first difference: in the earliest step the kind that comes first in it."""
    found = [
        (cells.index(DIFFERENT), place, kind) for place, (kind, cells) in enumerate(grid.rows) if DIFFERENT in cells
    ]
    return (min(found)[2], min(found)[0]) if found else None


def _row(grid: StepGrid, kind: str, cells: str, first: tuple[str, int] | None) -> Markup:
    pieces = list(_pieces(cells, first[1] if first is not None and first[0] == kind else None))
    text = "; ".join(f"{_STATES[state][0]} {_steps(grid, start, end)}" for state, start, end in pieces)
    drawn = (_piece(piece, _steps(grid, piece[1], piece[2])) for piece in pieces)
    picture = element(
        "svg",
        *drawn,
        viewBox=f"0 0 {len(cells)} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{kind}: {text}",
    )
    at = cells.find(DIFFERENT)
    words = "" if at < 0 else f"from step {at * grid.width}" if grid.width == 1 else f"from {_steps(grid, at, at + 1)}"
    return element("tr", element("th", kind, scope="row"), element("td", picture), element("td", words, class_="dim"))


def _pieces(cells: str, first: int | None) -> Iterator[Piece]:
    marked = [_FIRST if place == first else cell for place, cell in enumerate(cells)]
    start = 0
    for state, group in itertools.groupby(marked):
        end = start + len(list(group))
        yield state, start, end
        start = end


def _piece(piece: Piece, steps: str) -> Markup:
    state, start, end = piece
    words, name = _STATES[state]
    tip = element("title", f"{steps}: {words}")
    height = _HEIGHTS[state]
    drawn = element("rect", x=start, y=_HEIGHT - height, width=end - start, height=height, class_=name)
    room = element("rect", x=start, y=0, width=end - start, height=_HEIGHT, class_="room")
    return element("g", tip, drawn, room)


def _steps(grid: StepGrid, start: int, end: int) -> str:
    low, high = start * grid.width, min(end * grid.width, grid.steps) - 1
    return f"step {low}" if low == high else f"steps {low} to {high}"


def _swatch(state: str) -> Markup:
    height = _HEIGHTS[state]
    shown = element("rect", y=_HEIGHT - height, width=12, height=height, class_=_STATES[state][1])
    return element("svg", shown, viewBox=f"0 0 12 {_HEIGHT}", aria_hidden="true", class_="swatch")
