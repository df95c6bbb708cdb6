"""Named records of two runs side by side: which of them differ, and by how much; and what a comparison finds, part by
part. Reads values only where digests differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reprocheck.compare.near import Pair, kept_bytes
from reprocheck.model import Divergence, Evidence, NotCompared, TensorDifference, TensorRecord
from reprocheck.model.kinds import Stage
from reprocheck.model.values import ValueDifference, compare_values

VALUES_SHOWN = 20
"""Differences of values are worked out for so many tensors."""


@dataclass(slots=True)
class Parts:
    """Each part adds to it what it compared, what it could not, and where the runs diverge."""

    runs: tuple[str, str]
    compared: list[str] = field(default_factory=list)
    missing: list[NotCompared] = field(default_factory=list)
    near: list[str] = field(default_factory=list)
    """What is within the tolerance, with other bits."""
    found: list[tuple[int, int, Divergence]] = field(default_factory=list)
    """Each with its step and its place in a step."""

    @property
    def first(self) -> Divergence | None:
        """The first one in run order."""
        return min(self.found, key=lambda entry: entry[:2])[2] if self.found else None


def more(names: Sequence[str]) -> str:
    """What is left out of a list of names."""
    return f" and {len(names)} more" if names else ""


def pairs_by_name(a: Iterable[TensorRecord], b: Iterable[TensorRecord]) -> list[Pair]:
    """Records of the same name side by side, in the order of a, then what only b has."""
    left, right = _by_name(a), _by_name(b)
    pairs: list[Pair] = [(record, right.get(name)) for name, record in left.items()]
    return pairs + [(None, record) for name, record in right.items() if name not in left]


def _by_name(tensors: Iterable[TensorRecord]) -> dict[tuple[str, int], TensorRecord]:
    named: dict[tuple[str, int], TensorRecord] = {}
    for record in tensors:
        count = 0
        while (record.name, count) in named:
            count += 1
        named[record.name, count] = record
    return named


REFERENCE = "reference"
"""Kind of what belongs to the environment of a run: a logger, a lock, a reading of the clock."""


def pair_differs(pair: Pair, missing: list[NotCompared], what: str) -> bool:
    """Whether bits, dtype or shape differ. What could be read in neither run goes to `missing`."""
    left, right = pair
    if left is None or right is None:
        return True
    if REFERENCE in (left.kind, right.kind):
        reason = next(record.reason for record in (left, right) if record.kind == REFERENCE)
        is_all = what.startswith("output") and not left.name
        help = "return its numbers as tensors, arrays or plain values" if is_all else ""
        missing.append(NotCompared(what=f"{what}{left.name or 'value'}", reason=reason, is_result=is_all, help=help))
        return False
    if not left.digest or not right.digest:
        if left.digest == right.digest and left.dtype == right.dtype:
            reason = left.reason or right.reason or "it could not be read"
            is_output = what.startswith("output")
            help = "return its numbers as tensors, arrays or plain values" if is_output else ""
            name = f"{what}{left.name or 'value'}"
            missing.append(NotCompared(what=name, reason=reason, is_result=is_output, help=help))
            return False
        return True
    return (left.digest, left.dtype, left.shape) != (right.digest, right.dtype, right.shape)


def tensor_divergence(
    stage: Stage, step: int | None, kind: str, pairs: Sequence[Pair], a: Evidence, b: Evidence, runs: tuple[str, str]
) -> Divergence:
    """The divergence of these pairs."""
    tensors = tuple(_difference(pair, a.values, b.values, index < VALUES_SHOWN) for index, pair in enumerate(pairs))
    return Divergence(
        stage=stage, step=step, kind=kind, names=tuple(t.name for t in tensors), tensors=tensors, runs=runs
    )


def _difference(pair: Pair, values_a: Path, values_b: Path, look: bool) -> TensorDifference:
    left, right = pair
    known = left or right
    assert known is not None
    values, reason = None, ""
    if left is None or right is None:
        reason = "only one of the runs has it"
    elif (left.dtype, left.shape) != (right.dtype, right.shape):
        reason = f"{left.dtype}{list(left.shape)} against {right.dtype}{list(right.shape)}"
    elif left.offset is None or right.offset is None:
        reason = "values were not kept"
    elif look:
        values, reason = _read_values(left, right, values_a, values_b)
    else:
        reason = "not worked out: there are more"
    return TensorDifference(
        name=known.name or "returned value",
        kind=known.kind,
        dtype=known.dtype,
        shape=known.shape,
        a="" if left is None else left.text or left.digest,
        b="" if right is None else right.text or right.digest,
        values=values,
        reason=reason,
    )


def _read_values(
    left: TensorRecord, right: TensorRecord, values_a: Path, values_b: Path
) -> tuple[ValueDifference | None, str]:
    try:
        data = [kept_bytes(record, path) for record, path in ((left, values_a), (right, values_b))]
        difference = compare_values(memoryview(data[0]), memoryview(data[1]), left.dtype, left.shape)
    except (OSError, ValueError, TypeError) as error:
        return None, f"values cannot be compared: {error}"
    return difference, "" if difference is not None else "kept values are equal"
