"""The comparison with a baseline, or of two audits, as the text report shows it: what differs first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from reprocheck.compare.baseline.summary import fact_number, where_first
from reprocheck.engine.console import Pen, aligned
from reprocheck.model import Verdict
from reprocheck.model.baseline import BaselineAnswer, MetricPair, SeedComparison, State, TensorPair
from reprocheck.report.wording import count, first_of, prefix_length, short, shown_path

Pair = TypeVar("Pair", TensorPair, MetricPair)

MOST = 15
_INDENT = "  "
_COLOURS = {State.DIFFERENT: "red", State.SAME: "green", State.NEAR: "green", State.NOT_COMPARED: "yellow"}
_ORDER = (State.DIFFERENT, State.NOT_COMPARED, State.NEAR, State.SAME)
_VERDICTS = {Verdict.REPRODUCIBLE: "as it was", Verdict.DIFFERENT: "different", Verdict.NO_VERDICT: "not compared"}


def baseline_lines(answer: BaselineAnswer | None, pen: Pen) -> list[str]:
    """The section of the report; nothing without a baseline."""
    if answer is None:
        return []
    file = pen.text(shown_path(answer.file))
    label = "written" if answer.updated else _VERDICTS[answer.verdict]
    if answer.verdict is Verdict.REPRODUCIBLE and answer.compared_class != answer.class_name and not answer.updated:
        label = "metrics as they were"
    lines = [f"baseline {file}: {label}" + (f" ({pen.text(answer.reason)})" if answer.reason else "")]
    lines += [_INDENT + line for line in _classes(answer, pen)]
    if answer.tolerance.options:
        lines.append(f"{_INDENT}tolerance: {pen.text(', '.join(answer.tolerance.options))}")
    for one in answer.seeds:
        lines += [_INDENT + line for line in seed_lines(one, "baseline", "now", pen)]
    if answer.packages:
        shown = [f"{name} {there or 'none'} -> {here or 'none'}" for name, there, here in answer.packages]
        lines.append(f"{_INDENT}packages: {pen.text(first_of(shown, MOST))}")
    return lines


def _classes(answer: BaselineAnswer, pen: Pen) -> list[str]:
    lines = [f"numerical class: {pen.text(answer.class_name)}"]
    if answer.compared_class and answer.compared_class != answer.class_name and not answer.updated:
        rows = [["", "baseline", "now"]] + [[pen.text(cell) for cell in row] for row in answer.class_differences]
        lines.append(f"compared with another class, by metrics alone: {pen.text(answer.compared_class)}")
        lines += [_INDENT + line for line in aligned(rows, colours={}, pen=pen)]
    return lines + [f"kept as it was: {pen.text(name)}" for name in answer.kept[:MOST]]


def seed_lines(one: SeedComparison, a: str, b: str, pen: Pen) -> list[str]:
    """One seed: each part in a line, then what differs by name."""
    lines = [f"seed {one.seed}" + (f": {pen.text(where_first(one.first))}" if one.first is not None else "")]
    rows = [[part.what, part.state.value, pen.text(part.reason)] for part in one.parts]
    colours = {(y, 1): _COLOURS[part.state] for y, part in enumerate(one.parts)}
    lines += [_INDENT + line for line in aligned(rows, colours=colours, pen=pen)]
    lines += [_INDENT + line for line in _tensors(one.tensors, a, b, pen)]
    return lines + [_INDENT + line for line in _metrics(one.metrics, a, b, pen)]


def _tensors(pairs: Sequence[TensorPair], a: str, b: str, pen: Pen) -> list[str]:
    """Those that differ or were not compared, by name; of the others how many."""
    shown_pairs = [pair for pair in _sorted(pairs) if pair.state in (State.DIFFERENT, State.NOT_COMPARED)]
    if not shown_pairs:
        return []
    length = prefix_length(digest for pair in shown_pairs for digest in (pair.a, pair.b))
    rows = [["tensor", "of", "form", "", a, b]]
    for pair in shown_pairs[:MOST]:
        sides = [short(pen, side, length) if side else "-" for side in (pair.a, pair.b)]
        rows.append([pen.text(pair.name), pair.part, pen.text(pair.form), pair.state.value, *sides])
    lines = aligned(
        rows, colours={(y, 3): _COLOURS[pair.state] for y, pair in enumerate(shown_pairs[:MOST], 1)}, pen=pen
    )
    lines += [f"and {len(shown_pairs) - MOST} more"] if len(shown_pairs) > MOST else []
    same = len(pairs) - len(shown_pairs)
    return [*lines, f"{count(same, 'other')} equal"] if same else lines


def _metrics(pairs: Sequence[MetricPair], a: str, b: str, pen: Pen) -> list[str]:
    if not pairs:
        return []
    rows = [["metric", a, b, "difference", "allowed", ""]]
    shown = _sorted(pairs)[:MOST]
    for pair in shown:
        gap = "-" if pair.a is None or pair.b is None else f"{pair.b - pair.a:.3g}"
        label = pair.state.value + (f" ({pen.text(pair.reason)})" if pair.reason else "")
        allowed = pen.text(pair.allowed) or "-"
        rows.append([pen.text(pair.name), fact_number(pair.a), fact_number(pair.b), gap, allowed, label])
    colours = {(y, 5): _COLOURS[pair.state] for y, pair in enumerate(shown, 1)}
    lines = aligned(rows, right=(1, 2, 3), colours=colours, pen=pen)
    return lines + ([f"and {len(pairs) - MOST} more"] if len(pairs) > MOST else [])


def _sorted(pairs: Iterable[Pair]) -> list[Pair]:
    return sorted(pairs, key=lambda pair: _ORDER.index(pair.state))
