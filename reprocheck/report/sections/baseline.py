"""The comparison with a baseline, or of two audits, as the text report shows it: what differs first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from reprocheck.compare.baseline.summary import fact_number, where_first
from reprocheck.engine.console import clip
from reprocheck.model import Verdict
from reprocheck.model.baseline import BaselineAnswer, MetricPair, SeedComparison, State, TensorPair
from reprocheck.report.document import Block, Heading, Role, Span, Table, Text, indented
from reprocheck.report.wording import count, first_of, prefix_length, short, shown_path

Pair = TypeVar("Pair", TensorPair, MetricPair)

MOST = 15
_ROLES = {
    State.DIFFERENT: Role.ERROR,
    State.SAME: Role.SUCCESS,
    State.NEAR: Role.SUCCESS,
    State.NOT_COMPARED: Role.WARNING,
}
_ORDER = (State.DIFFERENT, State.NOT_COMPARED, State.NEAR, State.SAME)
_VERDICTS = {Verdict.REPRODUCIBLE: "as it was", Verdict.DIFFERENT: "different", Verdict.NO_VERDICT: "not compared"}


def baseline_blocks(answer: BaselineAnswer | None) -> list[Block]:
    """The section of the report; nothing without a baseline."""
    if answer is None:
        return []
    file = clip(shown_path(answer.file))
    label = "written" if answer.updated else _VERDICTS[answer.verdict]
    if answer.verdict is Verdict.REPRODUCIBLE and answer.compared_class != answer.class_name and not answer.updated:
        label = "metrics as they were"
    title = f"baseline {file}: {label}" + (f" ({clip(answer.reason)})" if answer.reason else "")
    blocks = _classes(answer)
    if answer.tolerance.options:
        blocks.append(f"tolerance: {clip(', '.join(answer.tolerance.options))}")
    for one in answer.seeds:
        blocks += seed_blocks(one, "baseline", "now")
    if answer.packages:
        shown = [f"{name} {there or 'none'} -> {here or 'none'}" for name, there, here in answer.packages]
        blocks.append(f"packages: {clip(first_of(shown, MOST))}")
    return [Heading(title), *indented(blocks)]


def _classes(answer: BaselineAnswer) -> list[Block]:
    blocks: list[Block] = [f"numerical class: {clip(answer.class_name)}"]
    if answer.compared_class and answer.compared_class != answer.class_name and not answer.updated:
        rows = tuple(tuple(clip(cell) for cell in row) for row in answer.class_differences)
        blocks.append(f"compared with another class, by metrics alone: {clip(answer.compared_class)}")
        blocks += indented([Table(rows, ("", "baseline", "now"))])
    return blocks + [f"kept as it was: {clip(name)}" for name in answer.kept[:MOST]]


def seed_blocks(one: SeedComparison, a: str, b: str) -> list[Block]:
    """One seed: each part in a line, then what differs by name."""
    title = f"seed {one.seed}" + (f": {clip(where_first(one.first))}" if one.first is not None else "")
    parts = Table(
        tuple((part.what, Span(part.state.value, _ROLES[part.state]), clip(part.reason)) for part in one.parts)
    )
    return [title, *indented([parts, *_tensors(one.tensors, a, b), *_metrics(one.metrics, a, b)])]


def _tensors(pairs: Sequence[TensorPair], a: str, b: str) -> list[Block]:
    """Those that differ or were not compared, by name; of the others how many."""
    shown_pairs = [pair for pair in _sorted(pairs) if pair.state in (State.DIFFERENT, State.NOT_COMPARED)]
    if not shown_pairs:
        return []
    length = prefix_length(digest for pair in shown_pairs for digest in (pair.a, pair.b))
    rows: list[tuple[Text, ...]] = []
    for pair in shown_pairs[:MOST]:
        sides = [short(side, length) if side else "-" for side in (pair.a, pair.b)]
        state = Span(pair.state.value, _ROLES[pair.state])
        rows.append((Span(clip(pair.name), Role.CODE), pair.part, clip(pair.form), state, *sides))
    blocks: list[Block] = [Table(tuple(rows), ("tensor", "of", "form", "", a, b))]
    blocks += [f"and {len(shown_pairs) - MOST} more"] if len(shown_pairs) > MOST else []
    same = len(pairs) - len(shown_pairs)
    return [*blocks, f"{count(same, 'other')} equal"] if same else blocks


def _metrics(pairs: Sequence[MetricPair], a: str, b: str) -> list[Block]:
    if not pairs:
        return []
    rows: list[tuple[Text, ...]] = []
    for pair in _sorted(pairs)[:MOST]:
        gap = "-" if pair.a is None or pair.b is None else f"{pair.b - pair.a:.3g}"
        label = Span(pair.state.value + (f" ({clip(pair.reason)})" if pair.reason else ""), _ROLES[pair.state])
        allowed = clip(pair.allowed) or "-"
        rows.append((Span(clip(pair.name), Role.CODE), fact_number(pair.a), fact_number(pair.b), gap, allowed, label))
    table = Table(tuple(rows), ("metric", a, b, "difference", "allowed", ""), right=(1, 2, 3))
    return [table, *([f"and {len(pairs) - MOST} more"] if len(pairs) > MOST else [])]


def _sorted(pairs: Iterable[Pair]) -> list[Pair]:
    return sorted(pairs, key=lambda pair: _ORDER.index(pair.state))
