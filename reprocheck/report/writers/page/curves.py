"""Lines over steps as a drawing, on a logarithmic scale, with a band about the last one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from reprocheck.report.document import Curves
from reprocheck.report.writers.page.markup import Markup, element

_WIDTH, _HEIGHT = 560, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 110, 10, 34
_MOST_POINTS = 400
_MOST_TICKS = 6


def curve_plot(curves: Curves, name: str) -> Markup:
    """A figure, whose text says what it shows; nothing where there is nothing to see. `name` starts its ids."""
    lines = curves.shown
    points = [point for line in lines for point in line.points]
    if len({x for x, _ in points}) < 2:
        return Markup()
    (left, right), (low, high) = ((min(ends), max(ends)) for ends in zip(*points, strict=True))
    bottom = math.floor(math.log10(low))
    top = max(math.ceil(math.log10(high)), bottom + 1)

    def x(value: float) -> str:
        return f"{_LEFT + (value - left) / (right - left) * (_WIDTH - _LEFT - _RIGHT):.1f}"

    def y(value: float) -> str:
        share = (math.log10(min(max(value, 10.0**bottom), 10.0**top)) - bottom) / (top - bottom)
        return f"{_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM):.1f}"

    def drawn() -> Iterator[Markup]:
        for tick in range(bottom, top + 1, max(1, math.ceil((top - bottom) / _MOST_TICKS))):
            at = y(10.0**tick)
            yield element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=at, y2=at, class_="grid")
            yield element("text", f"1e{tick}", x=_LEFT - 8, y=at, class_="label")
        band = [edge for edge in _few(curves.band) if edge[1] > 0 and math.isfinite(edge[2])]
        if len(band) > 1:
            there = "L".join(f"{x(step)} {y(high)}" for step, _, high in band)
            back = "L".join(f"{x(step)} {y(low)}" for step, low, _ in reversed(band))
            yield element("path", d=f"M{there}L{back}z", class_="band")
        for number, line in enumerate(lines):
            few = _few(line.points)
            path = "L".join(f"{x(step)} {y(value)}" for step, value in few)
            tip = element("title", f"{line.label}: {few[-1][1]:.3g} at {curves.x} {few[-1][0]:g}")
            yield element("path", tip, d=f"M{path}", class_=f"curve curve{min(number, 2)}")
            yield element("text", line.label, x=_WIDTH - _RIGHT + 6, y=y(few[-1][1]), class_="name")
        base = _HEIGHT - _BOTTOM
        yield element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=base, y2=base, class_="axis")
        yield element("text", f"{curves.x} {left:g}", x=_LEFT, y=base + 18, class_="start")
        yield element("text", f"{right:g}", x=_WIDTH - _RIGHT, y=base + 18, class_="end")

    text = "; ".join(
        f"{line.label}: {line.points[0][1]:.3g} at {curves.x} {line.points[0][0]:g}, "
        f"{line.points[-1][1]:.3g} at {curves.x} {line.points[-1][0]:g}"
        for line in lines
    )
    picture = element(
        "svg",
        element("title", curves.title, id=f"{name}-title"),
        element("desc", text, id=f"{name}-text"),
        *drawn(),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_labelledby=f"{name}-title {name}-text",
        class_="strip curves",
    )
    return element("figure", element("figcaption", curves.title), picture)


def _few(points: Sequence[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """As many as can be told apart, the last one among them."""
    every = max(1, math.ceil(len(points) / _MOST_POINTS))
    return [*points[:-1:every], *points[-1:]]
