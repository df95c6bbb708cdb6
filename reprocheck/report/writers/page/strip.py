"""A metric over seeds as a drawing: a row for each seed with its runs, below them the mean with its interval."""

from __future__ import annotations

from collections.abc import Iterator

from reprocheck.model import MetricSummary
from reprocheck.report.writers.page.markup import Markup, element
from reprocheck.report.writers.plot import bounds, row_labels

_WIDTH, _LEFT, _RIGHT = 420, 64, 14
_ROW, _TOP, _AXIS = 18, 8, 24
_MARK = 4


def strip_plot(metric: MetricSummary, name: str) -> Markup:
    """A figure, whose text says what it shows; nothing where there is nothing to see. `name` starts its ids."""
    ends = bounds(metric)
    if ends is None or metric.interval is None:
        return Markup()
    labels = list(row_labels(metric))
    of_seeds = len(labels) - 1
    height = _TOP + len(labels) * _ROW + _AXIS

    def x(value: float) -> str:
        share = (min(max(value, ends[0]), ends[1]) - ends[0]) / (ends[1] - ends[0])
        return f"{_LEFT + share * (_WIDTH - _LEFT - _RIGHT):.1f}"

    def y(row: int) -> str:
        return f"{_TOP + (row + 0.5) * _ROW:.1f}"

    def drawn() -> Iterator[Markup]:
        for row, label in enumerate(labels):
            yield element("text", label, x=_LEFT - 10, y=y(row), class_="label")
            if label:
                yield element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y(row), y2=y(row), class_="grid")
        for place, (seed, values) in enumerate(metric.values):
            for run, value in reversed(list(enumerate(values))):
                tip = element("title", f"seed {seed}, run {run}: {value!r}")
                kind = "point first" if run == 0 else "point"
                yield element("circle", tip, cx=x(value), cy=y(place % of_seeds), r=_MARK, class_=kind)
        yield from _interval()
        low, high = f"{ends[0]:.6g}", f"{ends[1]:.6g}"
        base = _TOP + len(labels) * _ROW
        yield element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=base, y2=base, class_="axis")
        yield element("text", low, x=_LEFT, y=base + 16, class_="start")
        yield element("text", high, x=_WIDTH - _RIGHT, y=base + 16, class_="end")

    def _interval() -> Iterator[Markup]:
        assert metric.interval is not None
        row = y(of_seeds)
        tip = element("title", f"95 % interval of the mean: {metric.interval[0]:.6g} to {metric.interval[1]:.6g}")
        yield element("line", tip, x1=x(metric.interval[0]), x2=x(metric.interval[1]), y1=row, y2=row, class_="range")
        for end in metric.interval:
            if ends[0] <= end <= ends[1]:  # one that lies outside has no cap
                yield element("path", d=f"M{x(end)} {row}m0 -{_MARK}v{2 * _MARK}", class_="range")
        tip = element("title", f"mean: {metric.mean:.6g}")
        diamond = (
            f"M{x(metric.mean)} {row}m0 -{_MARK + 2}l{_MARK} {_MARK + 2}l-{_MARK} {_MARK + 2}l-{_MARK} -{_MARK + 2}z"
        )
        yield element("path", tip, d=diamond, class_="mean")

    text = (
        f"{len(metric.values)} seeds from {metric.minimum:.6g} to {metric.maximum:.6g}, mean {metric.mean:.6g}, "
        f"95 % interval of the mean {metric.interval[0]:.6g} to {metric.interval[1]:.6g}"
    )
    picture = element(
        "svg",
        element("title", f"{metric.name} over seeds", id=f"{name}-title"),
        element("desc", text, id=f"{name}-text"),
        *drawn(),
        viewBox=f"0 0 {_WIDTH} {height}",
        role="img",
        aria_labelledby=f"{name}-title {name}-text",
        class_="strip",
    )
    return element("figure", element("figcaption", element("code", metric.name)), picture)
