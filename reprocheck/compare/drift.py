"""Two sketches → how far the runs are from each other, by layer and step. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reprocheck.model.drift import Curve, Drift, LayerDrift, Row, Sketch
from reprocheck.model.values import distance, format_of
from reprocheck.protocol.sketch_format import GRADIENTS, LOSS, PARAMETERS, PROJECTIONS, RATE, SAMPLES

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

RESOLUTION = 2e-14
"""Relative distances below are lost in the sums of projections: there samples tell."""
MOST_POINTS = 64
"""Of the curve of one layer."""
LARGE = 0.1
"""Learning rates by which an element differs that a step of another sign has moved."""
_EPSILONS = {"float64": 2.0**-52, "float32": 2.0**-23, "tf32": 2.0**-10, "float16": 2.0**-10, "bfloat16": 2.0**-7}
_NORMALIZES = re.compile(r"(?i)adam|adagrad|adadelta|adafactor|rms|rprop|lion|lamb|lars|muon|sophia|signsgd|shampoo")
"""In names of optimizers that divide gradients by their size."""
_PROJECTED = slice(1, 1 + PROJECTIONS)
_SIZES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}


class _Series:
    """One row over the steps that both runs have of it."""

    def __init__(self, row: Row, steps: list[int], x: Array, y: Array) -> None:
        """`x`, `y`: the values of each step, in both runs."""
        import numpy as np

        self.row = row
        self.steps = steps
        known = slice(1 + PROJECTIONS, 1 + PROJECTIONS + row.samples)
        left, right = x[:, known], y[:, known]
        way = left - left[0] if row.elements <= SAMPLES else x[:, _PROJECTED] - x[0, _PROJECTED]
        with np.errstate(over="ignore", invalid="ignore"):
            self.gaps: Array = np.abs(left - right)
            """Of the samples."""
            self.largest: Array = self.gaps.max(axis=1)
            """About the greatest difference of two elements, as far as samples and projections show it."""
            of_samples, way_share = (self.gaps**2).sum(axis=1), 1.0
            if row.elements <= SAMPLES:
                self.squares, self.norms = of_samples, (left**2).sum(axis=1)
                """Of the distance, and of the first run's norm."""
            else:
                share = row.elements / row.looked_at
                projected = x[:, _PROJECTED] - y[:, _PROJECTED]
                self.norms = x[:, 0] * share
                squares = (projected**2).sum(axis=1) * share
                self.largest = np.maximum(self.largest, np.abs(projected).max(axis=1))
                way_share = share
                lost = squares <= RESOLUTION**2 * self.norms
                self.squares = np.where(lost, of_samples * (row.elements / row.samples), squares)
            self.way: Array = (way**2).sum(axis=1) * way_share
            """Squares of the distance of the first run from its first step."""
        self.ulps = _ulps(row.dtype, left, right)
        """The greatest of the samples, after each step; None where the dtype has none."""

    @property
    def first(self) -> int | None:
        """The first step after which it differs."""
        return next((step for step, square in zip(self.steps, self.squares, strict=True) if square != 0), None)


def compare_sketches(a: Sketch, b: Sketch) -> Drift:
    """What both hold of the same steps. The first run is the measure."""
    known = list(_series(a, b))
    trained = [one for one in known if one.row.kind == PARAMETERS]
    parameters, travelled = _of_parameters(trained)
    moved = _moved(known, _rates(a))
    return Drift(
        runs=(a.run, b.run),
        first=min((one.first for one in known if one.first is not None), default=None),
        parameters=parameters,
        gradients=_together(one for one in known if one.row.kind == GRADIENTS),
        loss=_together(one for one in known if one.row.kind == LOSS),
        layers=tuple(_layer(one) for one in known),
        travelled=travelled,
        epsilon=_epsilon(trained),
        precision=max((_EPSILONS.get(name, 0.0) for one in (a, b) for name in one.precisions), default=0.0),
        normalizes=any(row.kind == RATE and _NORMALIZES.search(row.name) for row in a.rows),
        unmatched=_unmatched(a, b),
        full=min((full for full in (a.full, b.full) if full is not None), default=None),
        largest_step=tuple(moved.get(step, (0.0, 0.0))[0] for step in parameters.steps) if moved else (),
        touched=tuple(moved.get(step, (0.0, 0.0))[1] for step in parameters.steps) if moved else (),
    )


def _series(a: Sketch, b: Sketch) -> Iterator[_Series]:
    """Of the rows that mean the same in both."""
    import numpy as np

    numbers = {row: number for number, row in enumerate(b.rows)}
    steps = sorted(a.steps.keys() & b.steps.keys())
    for number, row in enumerate(a.rows):
        other = numbers.get(row)
        if row.kind == RATE or other is None:
            continue
        both = [step for step in steps if number in a.steps[step] and other in b.steps[step]]
        if both:
            x, y = (np.stack([one.steps[step][n] for step in both]) for one, n in ((a, number), (b, other)))
            yield _Series(row, both, x, y)


def _unmatched(a: Sketch, b: Sketch) -> tuple[int, int]:
    one, other = ({row for row in sketch.rows if row.kind == PARAMETERS} for sketch in (a, b))
    return len(one - other), len(other - one)


def _rates(sketch: Sketch) -> dict[int, float]:
    """Step → learning rate of the optimizer that took it."""
    found: dict[int, float] = {}
    numbers = {number for number, row in enumerate(sketch.rows) if row.kind == RATE and row.elements == 1}
    for step, values in sketch.steps.items():
        rates = [abs(float(values[number][1 + PROJECTIONS])) for number in numbers & values.keys()]
        if rates and math.isfinite(max(rates)) and max(rates) > 0:
            found[step] = max(rates)
    return found


def _moved(known: Iterable[_Series], rates: Mapping[int, float]) -> dict[int, tuple[float, float]]:
    """Step → the greatest difference of two sampled parameters in learning rates, and the part of the samples that
    differs by `LARGE` of one or more."""
    found: dict[int, list[float]] = {}
    for one in known:
        if one.row.kind == PARAMETERS:
            for step, gaps, largest in zip(one.steps, one.gaps, one.largest.tolist(), strict=True):
                rate = rates.get(step)
                if rate is not None:
                    greatest, touched, samples = found.setdefault(step, [0.0, 0.0, 0.0])
                    large = float((gaps >= LARGE * rate).sum())
                    found[step] = [max(greatest, largest / rate), touched + large, samples + gaps.size]
    return {step: (greatest, touched / samples) for step, (greatest, touched, samples) in found.items()}


def _ulps(dtype: str, x: Array, y: Array) -> list[int | None]:
    """For each row of samples the greatest distance of two, in steps to the next value of their dtype."""
    import numpy as np

    if dtype not in _SIZES:
        return [None] * len(x)
    form = format_of(dtype, _SIZES[dtype])
    assert form.ranks is not None
    finite = np.isfinite(x) & np.isfinite(y)
    ranks = []
    with np.errstate(over="ignore", invalid="ignore"):
        for values in (np.where(finite, x, 0.0).ravel(), np.where(finite, y, 0.0).ravel()):
            if dtype == "bfloat16":
                words = (values.astype(np.float32).view(np.uint32) >> np.uint32(16)).astype(np.uint16)
            else:
                words = values.astype(dtype).view(form.word)
            ranks.append(form.ranks(words))
    return [int(most) for most in distance(*ranks).reshape(x.shape).max(axis=1)]


def _together(series: Iterable[_Series]) -> Curve:
    """The distance of all rows of a kind as that of one vector."""
    squares: dict[int, float] = {}
    norms: dict[int, float] = {}
    for one in series:
        for step, square, norm in zip(one.steps, one.squares.tolist(), one.norms.tolist(), strict=True):
            squares[step] = squares.get(step, 0.0) + square
            norms[step] = norms.get(step, 0.0) + norm
    steps = sorted(squares)
    return Curve(steps=tuple(steps), distances=tuple(relative(squares[step], norms[step]) for step in steps))


def relative(square: float, norm: float) -> float:
    """A distance relative to a norm, from the squares of both."""
    if not (math.isfinite(square) and math.isfinite(norm)):
        return math.inf
    return 0.0 if not square else math.sqrt(square / norm) if norm > 0 and math.isfinite(square / norm) else math.inf


def _of_parameters(known: Sequence[_Series]) -> tuple[Curve, Curve]:
    """The same of all parameters, and the way of the first run, both in terms of its norm at the first step: one that
    shrinks or grows would show in the distance. What no step of its optimizer wrote is as it was."""
    events: dict[int, list[tuple[int, float, float, float]]] = {}
    for number, one in enumerate(known):
        rows = zip(one.steps, one.squares.tolist(), one.norms.tolist(), one.way.tolist(), strict=True)
        for step, square, norm, way in rows:
            events.setdefault(step, []).append((number, square, norm, way))
    squares, norms, ways = ([0.0] * len(known) for _ in range(3))
    steps, distances, travelled, scale = sorted(events), [], [], 0.0
    for step in steps:
        for number, square, norm, way in events[step]:
            squares[number], ways[number] = square, way
            norms[number] = norms[number] or norm
        scale = math.fsum(norms) if all(map(math.isfinite, norms)) else math.inf
        distances.append(_sum(squares))
        travelled.append(_sum(ways))
    return (
        Curve(steps=tuple(steps), distances=tuple(relative(square, scale) for square in distances)),
        Curve(steps=tuple(steps), distances=tuple(relative(way, scale) for way in travelled)),
    )


def _sum(squares: Sequence[float]) -> float:
    return math.fsum(squares) if all(map(math.isfinite, squares)) else math.inf


def _epsilon(known: Sequence[_Series]) -> float:
    """Of the dtype that most parameters have."""
    elements: dict[str, int] = {}
    for one in known:
        elements[one.row.dtype] = elements.get(one.row.dtype, 0) + one.row.elements
    return _EPSILONS.get(max(elements, key=lambda name: elements[name]), _EPSILONS["float32"]) if elements else 2.0**-23


def _layer(one: _Series) -> LayerDrift:
    first = one.first
    distances = [relative(*both) for both in zip(one.squares.tolist(), one.norms.tolist(), strict=True)]
    kept = spread(range(len(one.steps)), MOST_POINTS)
    return LayerDrift(
        kind=one.row.kind,
        name=one.row.name,
        elements=one.row.elements,
        first=first,
        max_ulp=None if first is None else one.ulps[one.steps.index(first)],
        end=distances[-1],
        end_ulp=one.ulps[-1],
        curve=Curve(
            steps=tuple(one.steps[place] for place in kept), distances=tuple(distances[place] for place in kept)
        ),
    )


def spread(places: Sequence[int], most: int) -> list[int]:
    """So many of them at most, evenly, the first and the last among them."""
    if len(places) <= most:
        return list(places)
    return sorted({places[round(number * (len(places) - 1) / (most - 1))] for number in range(most)})
