"""Does the difference matter? The sentence, and the distance step by step next to what one ULP does."""

from __future__ import annotations

from collections.abc import Sequence

from reprocheck.engine.console import clip
from reprocheck.model import Audit
from reprocheck.model.drift import Curve, DriftAnswer, LayerDrift
from reprocheck.report.document import Block, Curves, Fold, Heading, Line, Note, Table, Text, indented
from reprocheck.report.drift_text import drift_notes, drift_sentence
from reprocheck.report.wording import first_of

_MOST_STEPS = 6
_MOST_LAYERS = 5


def drift_blocks(audit: Audit) -> list[Block]:
    """Nothing where it was not asked."""
    answer = None if audit.explanation is None else audit.explanation.drift
    if answer is None:
        return []
    blocks: list[Block] = [drift_sentence(audit), *(Note("note", note, indent=0) for note in drift_notes(answer))]
    if answer.drift is not None and answer.drift.first is not None:
        blocks += [_steps(answer), _drawn(answer), *_layers(answer)]
    return [Heading("does it matter?"), *indented(blocks)]


def _steps(answer: DriftAnswer) -> Table:
    assert answer.drift is not None
    assert answer.drift.first is not None
    drift, floor = answer.drift, answer.floor
    steps = [step for step in drift.parameters.steps if step >= (drift.first or 0)]
    rows: list[tuple[Text, ...]] = []
    for step in _chosen(steps):
        row: list[Text] = [str(step), _distance(drift.parameters.at(step))]
        if floor.twins:
            low, high = floor.low.at(step), floor.high.at(step)
            span = "" if floor.twins < 2 else f" ({_distance(low)} to {_distance(high)})"
            row.append(_distance(floor.middle.at(step)) + span)
        rows.append((*row, _distance(drift.gradients.at(step)), _distance(drift.loss.at(step))))
    one_ulp = ("one ULP",) if floor.twins else ()
    return Table(tuple(rows), ("after step", "parameters", *one_ulp, "gradients", "loss"), right=(0, 1))


def _chosen(steps: Sequence[int]) -> list[int]:
    """The first and the last, and some between at distances that double."""
    if len(steps) <= _MOST_STEPS:
        return list(steps)
    ratio = (len(steps) - 1) ** (1 / (_MOST_STEPS - 2))
    places = {0, *(round(ratio**number) for number in range(_MOST_STEPS - 1))}
    return [steps[min(place, len(steps) - 1)] for place in sorted(places)]


def _distance(value: float | None) -> str:
    return "-" if value is None else "0" if value == 0 else f"{value:.2g}"


def _drawn(answer: DriftAnswer) -> Curves:
    assert answer.drift is not None
    floor = answer.floor
    lines = [Line("difference", _points(answer.drift.parameters))]
    if floor.twins:
        lines.append(Line("one ULP", _points(floor.middle)))
    band = tuple(zip(floor.low.steps, floor.low.distances, floor.high.distances, strict=True))
    return Curves(
        title="relative distance of the parameters after each step",
        x="step",
        lines=tuple(lines),
        band=band if floor.twins > 1 else (),
    )


def _points(curve: Curve) -> tuple[tuple[float, float], ...]:
    return tuple(zip(curve.steps, curve.distances, strict=True))


def _layers(answer: DriftAnswer) -> list[Block]:
    """Those that differ first, in the order of the model."""
    assert answer.drift is not None
    known = [layer for layer in answer.drift.layers if layer.first is not None and layer.kind != "loss"]
    known = [layer for layer in known if layer.first == answer.drift.first]
    if not known:
        return []
    rows = tuple(_layer(layer) for layer in known[:_MOST_LAYERS])
    head = ("differ first", "kind", "step", "ulp", "distance at the end")
    more = [f"and {len(known) - _MOST_LAYERS} more"] if len(known) > _MOST_LAYERS else []
    names = [f"`{clip(name)}`" for name in dict.fromkeys(layer.name for layer in known)]
    line = f"values differ first in {first_of(names, 3)}"
    return [Fold(line, (Table(rows, head, right=(2, 3, 4)), *more))]


def _layer(layer: LayerDrift) -> tuple[Text, ...]:
    ulp = "-" if layer.max_ulp is None or layer.max_ulp > 2**20 else str(layer.max_ulp)
    return clip(layer.name), layer.kind, str(layer.first), ulp, _distance(layer.end)
