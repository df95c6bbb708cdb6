"""Two snapshots → what is the same, what differs, what could not be compared, and where it begins. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence, Set
from dataclasses import replace

from reprocheck.compare.baseline.history import compare_history
from reprocheck.compare.near import Pair
from reprocheck.compare.pairs import pairs_by_name
from reprocheck.compare.tensors import without_renamed
from reprocheck.compare.values_near import number_is_near
from reprocheck.model import TensorRecord
from reprocheck.model.baseline import (
    UNMEASURED,
    First,
    MetricPair,
    PartState,
    SeedComparison,
    Snapshot,
    State,
    TensorPair,
)
from reprocheck.model.kinds import Stage
from reprocheck.model.tolerance import Measure, Tolerance

INIT, STEPS, CHECKPOINTS, OUTPUTS, METRICS = "initial parameters", "steps", "checkpoints", "outputs", "metrics"
NOTHING = "None"
"""What a function returns that returns nothing: agreement in it says nothing."""


def compare_snapshots(seed: int, a: Snapshot, b: Snapshot, tolerance: Tolerance, no_bits: str = "") -> SeedComparison:
    """`a` is the reference. `no_bits` is the reason why bits say nothing; the metrics decide then."""
    metrics = tuple(_metrics(a, b, tolerance, no_bits))
    by_margin = {pair.name for pair in metrics if pair.allowed}
    init = _under_new_names(a.init, b.init or ())
    init_part, init_pairs = _tensors(INIT, init, b.init, (a.init_digest, b.init_digest), set())
    out_part, out_pairs = _tensors(OUTPUTS, a.outputs, b.outputs, (a.output_digest, b.output_digest), by_margin)
    steps_part, steps_first = compare_history(a.steps, b.steps)
    own_part, own_pairs = _checkpoints(a.checkpoints, b.checkpoints)
    init_part, steps_part, own_part, out_part = (
        _by_bits(part, tolerance, no_bits) for part in (init_part, steps_part, own_part, out_part)
    )
    parts = [init_part, steps_part, *([own_part] if a.checkpoints or b.checkpoints else []), out_part]
    parts += [_metrics_part(metrics)] if metrics else []
    shown = [(init_pairs, init_part), (own_pairs, own_part), (out_pairs, out_part)]
    first = _first(init_part, init_pairs, steps_part, steps_first, out_part, out_pairs, metrics)
    if own_part.state is State.DIFFERENT and (first is None or first.stage in (Stage.OUTPUT, Stage.METRIC)):
        first = First(stage=Stage.CHECKPOINT, kind=CHECKPOINTS, names=_differing(own_pairs))
    return SeedComparison(
        seed=seed,
        parts=tuple(parts),
        tensors=tuple(pair for pairs, part in shown for pair in _shown(pairs, part, no_bits)),
        metrics=metrics,
        first=first,
    )


def _under_new_names(old: Sequence[TensorRecord] | None, new: Sequence[TensorRecord]) -> Sequence[TensorRecord] | None:
    """Files of earlier versions have other names: all began with the model's where there were several, else none."""
    if old is None:
        return None
    theirs, ours = {record.name for record in old}, {record.name for record in new}
    names: dict[str, str] = {}
    for record in new:
        if record.model and record.name not in theirs:
            own = record.name.removeprefix(f"{record.model}.")
            for alias in (own, f"{record.model}.{own}"):
                names.setdefault(alias, record.name)
    return [
        record if record.name in ours else replace(record, name=names.get(record.name, record.name)) for record in old
    ]


def _by_bits(part: PartState, tolerance: Tolerance, no_bits: str) -> PartState:
    """What a difference, or equality, of bits is worth here."""
    if part.state is State.NOT_COMPARED:
        return part
    if no_bits:
        return PartState(what=part.what, state=State.NOT_COMPARED, reason=no_bits)
    if part.state is State.DIFFERENT and not tolerance.is_exact:
        return PartState(what=part.what, state=State.NOT_COMPARED, reason=UNMEASURED)
    return part


def _tensors(
    what: str,
    a: Sequence[TensorRecord] | None,
    b: Sequence[TensorRecord] | None,
    digests: tuple[str, str],
    by_margin: Set[str],
) -> tuple[PartState, list[TensorPair]]:
    """Name by name where both sides have names, else by the digest of all."""
    if a is None or b is None:
        if not all(digests):
            seen = "only one side has a digest of all of them" if any(digests) else "not observed"
            return PartState(what=what, state=State.NOT_COMPARED, reason=seen), []
        same = digests[0] == digests[1]
        if by_margin and not same:
            return PartState(what=what, state=State.NOT_COMPARED, reason="only a digest of all of them is known"), []
        return PartState(what=what, state=State.SAME if same else State.DIFFERENT), []
    left, right = ([record for record in side if record.name not in by_margin] for side in (a, b))
    found = pairs_by_name(left, right)
    differing = without_renamed([pair for pair in found if _state(pair) is State.DIFFERENT])
    pairs = [
        _pair(what, pair, State.SAME if _state(pair) is State.DIFFERENT and pair not in differing else _state(pair))
        for pair in found
    ]
    states = {pair.state for pair in pairs}
    if State.DIFFERENT in states:
        return PartState(what=what, state=State.DIFFERENT), pairs
    if any(pair.state is State.SAME and pair.a != NOTHING for pair in pairs):
        return PartState(what=what, state=State.SAME), pairs
    reason = "they are compared as metrics" if by_margin and not pairs else "nothing to compare was seen"
    return PartState(what=what, state=State.NOT_COMPARED, reason=reason), pairs


def _checkpoints(
    a: Sequence[TensorRecord] | None, b: Sequence[TensorRecord] | None
) -> tuple[PartState, list[TensorPair]]:
    """Those under names that both sides have: a checkpoint that was put into the code moves no number."""
    if a is None or b is None:
        return PartState(what=CHECKPOINTS, state=State.NOT_COMPARED, reason="a report does not hold them"), []
    common = {record.name for record in a} & {record.name for record in b}
    left, right = ([record for record in side if record.name in common] for side in (a, b))
    part, pairs = _tensors(CHECKPOINTS, left, right, ("", ""), set())
    alone = [pair for pair in pairs_by_name(a, b) if None in pair]
    pairs += [replace(_pair(CHECKPOINTS, pair, State.NOT_COMPARED), reason="only one side has it") for pair in alone]
    return part, pairs


def _state(pair: Pair) -> State:
    left, right = pair
    if left is None or right is None:
        return State.DIFFERENT
    if (left.digest, left.dtype, left.shape) != (right.digest, right.dtype, right.shape):
        return State.DIFFERENT
    return State.SAME if left.digest else State.NOT_COMPARED


def _pair(part: str, pair: Pair, state: State) -> TensorPair:
    left, right = pair
    forms = dict.fromkeys(_form(record) for record in pair if record is not None)
    known = left or right
    assert known is not None
    texts = all(record is None or record.text for record in pair)
    a, b = ("" if record is None else record.text if texts else record.digest for record in pair)
    return TensorPair(
        part=part,
        name=known.name,
        form=" against ".join(form for form in forms if form),
        state=state,
        a=a,
        b=b,
        reason=(known.reason or "it has no fingerprint") if state is State.NOT_COMPARED else "",
    )


def _form(record: TensorRecord) -> str:
    return f"{record.dtype}[{', '.join(map(str, record.shape))}]" if record.shape else record.dtype


def _shown(pairs: list[TensorPair], part: PartState, no_bits: str) -> list[TensorPair]:
    """Pairs say nothing that their part does not."""
    if no_bits:
        return []
    if part.reason != UNMEASURED:
        return pairs
    return [
        replace(pair, state=State.NOT_COMPARED, reason=UNMEASURED) if pair.state is State.DIFFERENT else pair
        for pair in pairs
    ]


def _metrics(a: Snapshot, b: Snapshot, tolerance: Tolerance, no_bits: str) -> Iterable[MetricPair]:
    dtypes = {record.name: record.dtype for side in (a, b) for record in side.outputs or ()}
    for name in dict.fromkeys((*a.metrics, *b.metrics)):
        left, right = a.metrics.get(name), b.metrics.get(name)
        allowed = _allowed(name, tolerance)
        state, reason = State.DIFFERENT, ""
        if left is None or right is None:
            reason = "absent on one side"
        elif _bits(left) == _bits(right) and (allowed or not no_bits):
            state = State.SAME
        elif allowed:
            near = number_is_near(right, left, name, dtypes.get(name, "float64"), tolerance)
            state = State.NEAR if near else State.DIFFERENT
        elif no_bits:
            state, reason = State.NOT_COMPARED, f"{no_bits}, and no tolerance was given"
        yield MetricPair(name=name, state=state, a=left, b=right, allowed=allowed, reason=reason)


def _allowed(name: str, tolerance: Tolerance) -> str:
    margin = tolerance.margin_of(name)
    if margin is not None:
        return str(margin)
    if tolerance.measure is Measure.ULP:
        return f"{tolerance.ulp} ULP"
    return "close" if tolerance.measure is Measure.CLOSE else ""


def _bits(number: float) -> bytes:
    return struct.pack("<d", number)


def _metrics_part(metrics: Sequence[MetricPair]) -> PartState:
    states = {pair.state for pair in metrics}
    for state in (State.DIFFERENT, State.NEAR, State.SAME):
        if state in states:
            return PartState(what=METRICS, state=state)
    return PartState(what=METRICS, state=State.NOT_COMPARED, reason=metrics[0].reason)


def _first(
    init: PartState,
    init_pairs: Sequence[TensorPair],
    steps: PartState,
    steps_first: First | None,
    outputs: PartState,
    output_pairs: Sequence[TensorPair],
    metrics: Sequence[MetricPair],
) -> First | None:
    if init.state is State.DIFFERENT:
        return First(stage=Stage.INIT, kind="initial parameters", names=_differing(init_pairs))
    if steps.state is State.DIFFERENT:
        return steps_first
    moved = tuple(pair.name for pair in metrics if pair.state is State.DIFFERENT)
    if outputs.state is State.DIFFERENT and not set(_differing(output_pairs)) <= set(moved):
        return First(stage=Stage.OUTPUT, kind="outputs", names=_differing(output_pairs))
    if moved:
        return First(stage=Stage.METRIC, kind="metrics", names=moved)
    return First(stage=Stage.OUTPUT, kind="outputs") if outputs.state is State.DIFFERENT else None


def _differing(pairs: Sequence[TensorPair]) -> tuple[str, ...]:
    return tuple(pair.name for pair in pairs if pair.state is State.DIFFERENT)
