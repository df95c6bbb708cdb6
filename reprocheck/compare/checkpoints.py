"""The target's own checkpoints in two runs: the first that differs, and where it stands in run order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from reprocheck.compare.near import Pair, beyond_tolerance
from reprocheck.compare.pairs import pair_differs, pairs_by_name, tensor_divergence
from reprocheck.model import CheckpointRecord, Divergence, Evidence, NotCompared, Request, TensorRecord
from reprocheck.model.kinds import Stage
from reprocheck.protocol import ROW_GROWTH, SINGLE_CALLS, THREAD_MARK

AT_END = 1 << 62
"""The step of what has no step: it comes after all that have one."""
_BEFORE_STEP, _AFTER_STEP = 1, 3
"""Ranks among the differences of one step: the step record itself has 2."""
_UNMEASURED = "its fingerprints differ, and a tolerance can only be measured on values"

Found = list[tuple[int, int, Divergence]]
Both = tuple[CheckpointRecord | None, CheckpointRecord | None]


def compare_checkpoints(
    a: Evidence, b: Evidence, request: Request, compared: list[str], missing: list[NotCompared], near: list[str]
) -> Found:
    """The first difference, with its step and its rank among the differences of that step; nothing, or one."""
    if not a.checkpoints and not b.checkpoints:
        return []
    compared.append("checkpoints")
    found = []
    for both in _side_by_side(a.checkpoints, b.checkpoints):
        pairs = _differing(both, a, b, request, missing, near)
        if pairs is not None:
            found.append((*_place(both), pairs, both))
    found.sort(key=lambda entry: entry[:2])
    return [(step, rank, _divergence(both, pairs, a, b)) for step, rank, pairs, both in found[:1]]


def ended_before(record: CheckpointRecord, steps: int) -> bool:
    """Whether all its calls came before so many steps, and a run that was ended there has it the same.

    What threads call has no place in the order, and the end of a run cuts off its last row of calls.
    """
    if record.step is None or record.step >= steps:
        return False
    is_single = record.calls == 1 and record.call < SINGLE_CALLS
    return is_single or record.calls * ROW_GROWTH >= record.call


def _side_by_side(a: Sequence[CheckpointRecord], b: Sequence[CheckpointRecord]) -> Iterator[Both]:
    """Under each name the first with the first, and so on; names in the order of a, then those that only b has."""
    left, right = _by_name(a), _by_name(b)
    for name in dict.fromkeys([*left, *right]):
        yield from zip_longest(left.get(name, ()), right.get(name, ()))


def _by_name(records: Iterable[CheckpointRecord]) -> dict[str, list[CheckpointRecord]]:
    named: dict[str, list[CheckpointRecord]] = {}
    for record in records:
        named.setdefault(record.name, []).append(record)
    return named


def _differing(
    both: Both, a: Evidence, b: Evidence, request: Request, missing: list[NotCompared], near: list[str]
) -> list[Pair] | None:
    """None where nothing differs; else the leaves that do, as far as they were listed."""
    left, right = both
    if left is None or right is None:
        return []
    if left.unread and not left.tensors:
        missing.append(NotCompared(what=f"checkpoint {left.name}", reason=f"{left.unread} values could not be read"))
    listed = bool(left.tensors and right.tensors)
    if left.digest == right.digest and not (listed and left.unread):
        return None if left.calls == right.calls else []
    if not listed:
        if request.tolerance.is_exact:
            return []
        missing.append(NotCompared(what=f"checkpoint {left.name}", reason=_UNMEASURED))
        return None
    named = pairs_by_name(_named(left), _named(right))
    pairs = [pair for pair in named if pair_differs(pair, missing, "checkpoint ")]
    pairs, within = beyond_tolerance(pairs, request.tolerance, a.values, b.values)
    near += within
    return pairs or None


def _named(record: CheckpointRecord) -> list[TensorRecord]:
    return [replace(leaf, name=f"{record.name}.{leaf.name}" if leaf.name else record.name) for leaf in record.tensors]


def _place(both: Both) -> tuple[int, int]:
    """Step and rank. What was observed in the step before the call shows which of the two came first."""
    left, right = both
    steps = [record.step for record in both if record is not None and record.step is not None]
    if not steps:
        return AT_END, 1
    equal_before = left is None or right is None or left.before == right.before
    single = all(record is None or (record.calls == 1 and record.before) for record in both)
    return min(steps), _BEFORE_STEP if single and equal_before else _AFTER_STEP


def _divergence(both: Both, pairs: list[Pair], a: Evidence, b: Evidence) -> Divergence:
    known = both[0] or both[1]
    assert known is not None
    runs = (a.spec.id, b.spec.id)
    step = None if known.step is None else min(record.step or 0 for record in both if record is not None)
    divergence = tensor_divergence(Stage.CHECKPOINT, step, "checkpoint", pairs, a, b, runs)
    note = _note(both, a, b)
    return replace(divergence, names=divergence.names or (_shown(known),), note=note)


def _note(both: Both, a: Evidence, b: Evidence) -> str:
    known = both[0] or both[1]
    assert known is not None
    name = f"checkpoint `{_shown(known)}`"
    if both[0] is None or both[1] is None or both[0].calls != both[1].calls:
        one, other = (_count(evidence, known.name) for evidence in (a, b))
        return f"{a.spec.id} called {name} {one} times, {b.spec.id} {other} times"
    if known.step is None:
        return f"{name}, called {known.calls} times outside the main thread, with other values in all"
    if known.calls > 1:
        return f"{name}: one of the calls {known.call} to {known.call + known.calls - 1}, up to step {known.step}"
    return f"{name}, call {known.call} (counted from 0)"


def _shown(record: CheckpointRecord) -> str:
    return record.name.removesuffix(THREAD_MARK)


def _count(evidence: Evidence, name: str) -> int:
    return sum(record.calls for record in evidence.checkpoints if record.name == name)
