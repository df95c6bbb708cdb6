"""Evidence and Evidence → Comparison: the first difference in run order, and what was not compared. Reads values only
where digests differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from reprocheck.compare_near import Pair, beyond_tolerance, kept_bytes
from reprocheck.compare_steps import StepDifference, compare_steps, has_observations
from reprocheck.model import (
    Beside,
    Compare,
    Comparison,
    Divergence,
    Evidence,
    NotCompared,
    Request,
    TensorDifference,
    TensorRecord,
)
from reprocheck.protocol import THREAD_MARK, count_steps
from reprocheck.values import ValueDifference, compare_values

VALUES_SHOWN = 20
"""Differences of values are worked out for so many tensors."""
UNMEASURED = "their digests differ, and a tolerance can only be measured on values"
"""Why steps do not decide where a tolerance was asked for."""
_AT_END = 1 << 62


def compare(a: Evidence, b: Evidence, request: Request) -> Comparison:
    """Two runs of one seed."""
    runs = (a.spec.id, b.spec.id)
    compared: list[str] = []
    missing: list[NotCompared] = []
    near: list[str] = []
    found: list[tuple[int, int, Divergence]] = []
    for step, divergence in _compare_initial(a, b, request, runs, compared, missing, near):
        found.append((step, 0, divergence))
    steps, reordered = compare_steps(a.steps, b.steps, a.optimizers, b.optimizers)
    unmeasured = steps is not None and not request.tolerance.is_exact
    if unmeasured:
        missing.append(NotCompared(what="steps", reason=UNMEASURED))
    elif has_observations(a.steps) or has_observations(b.steps):
        compared.append("steps")
    else:
        missing.append(NotCompared(what="steps", reason="no optimizer step, backward pass or model call was seen"))
    if steps is not None and not unmeasured:
        found.append((steps.step, 1, _step_divergence(steps, runs)))
    output = _compare_outputs(a, b, request, runs, compared, missing, near)
    if unmeasured and "outputs" not in compared:  # an equal start says nothing of a training that went another way
        compared.clear()
    if output is not None:
        found.append((_AT_END, 2, output))
    beside = [_compare_stdout(a, b, request), _compare_files(a, b, request), *_compare_generators(a, b)]
    for item in beside:
        if item.decides:
            compared.append(item.what)
            if not item.same:
                found.append((_AT_END, 3, _beside_divergence(item, runs)))
    found.sort(key=lambda entry: entry[:2])
    notes = ["steps of independent optimizers came in another order, each with equal numbers"] if reordered else []
    notes += [f"within the tolerance, with other bits: {', '.join(near[:5])}" + _more(near[5:])] if near else []
    return Comparison(
        divergence=found[0][2] if found else None,
        compared=tuple(compared),
        not_compared=tuple(missing),
        beside=tuple(beside),
        notes=tuple(dict.fromkeys([*notes, *a.notes, *b.notes])),
    )


def _more(names: Sequence[str]) -> str:
    return f" and {len(names)} more" if names else ""


def _compare_initial(
    a: Evidence,
    b: Evidence,
    request: Request,
    runs: tuple[str, str],
    compared: list[str],
    missing: list[NotCompared],
    near: list[str],
) -> list[tuple[int, Divergence]]:
    """One divergence per optimizer step at which models were first seen (0 for most)."""
    if not a.initial and not b.initial:
        missing.append(NotCompared(what="initial parameters", reason="no model was seen"))
        return []
    differing = [pair for pair in pairs_by_name(a.initial, b.initial) if _pair_differs(pair, missing, "initial ")]
    differing, within = beyond_tolerance(without_renamed(differing), request.tolerance, a.values, b.values)
    near += within
    if any(record.digest for record in a.initial):
        compared.append("initial parameters")
    found = []
    for step in sorted({_step_of(pair) for pair in differing}):
        here = [pair for pair in differing if _step_of(pair) == step]
        # A model seen only in mid-run was most likely changed by what came before: that comes first.
        kinds = {(left or right).kind for left, right in here if (left or right) is not None}  # type: ignore[union-attr]
        kind = "parameters" if "parameter" in kinds else "buffers"
        found.append((step, _tensor_divergence("init", None if step == 0 else step, kind, here, a, b, runs)))
    return found


def without_renamed(differing: list[Pair]) -> list[Pair]:
    """Parameters of no model are named by the order of the optimizers, models in threads by that of their first calls.

    Another order of equal ones is no difference.
    """
    unnamed = [pair for pair in differing if all(r is None or _named_by_order(r.name) for r in pair)]
    left, right = (sorted(r.digest for pair in unnamed if (r := pair[side]) is not None) for side in (0, 1))
    return [pair for pair in differing if pair not in unnamed] if left == right else differing


def _named_by_order(name: str) -> bool:
    return name.startswith("optimizer") or THREAD_MARK in name


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


def _pair_differs(pair: Pair, missing: list[NotCompared], what: str) -> bool:
    left, right = pair
    if left is None or right is None:
        return True
    if not left.digest or not right.digest:
        if left.digest == right.digest and left.dtype == right.dtype:
            reason = left.reason or right.reason or "it could not be read"
            missing.append(NotCompared(what=f"{what}{left.name or 'value'}", reason=reason))
            return False
        return True
    return (left.digest, left.dtype, left.shape) != (right.digest, right.dtype, right.shape)


def _step_of(pair: Pair) -> int:
    return min(record.step for record in pair if record is not None)


def _tensor_divergence(
    stage: str, step: int | None, kind: str, pairs: Sequence[Pair], a: Evidence, b: Evidence, runs: tuple[str, str]
) -> Divergence:
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


def _step_divergence(found: StepDifference, runs: tuple[str, str]) -> Divergence:
    notes = []
    if found.kind == "steps":
        notes.append(f"{runs[0]} took {found.counts[0]} optimizer steps, {runs[1]} took {found.counts[1]}")
    if found.in_tail:
        notes.append("observed after the last optimizer step")
    if found.generators:
        names = " and ".join(found.generators)
        notes.append(f"the state of the {names} generator already differed after the step before")
    if found.hyperparameters:
        notes.append("the optimizer's hyperparameters differ in this step, too")
    stage = "data" if found.kind == "batch" else "step"
    return Divergence(
        stage=stage, step=found.step, kind=found.kind, names=(), tensors=(), runs=runs, note="; ".join(notes)
    )


def _compare_outputs(
    a: Evidence,
    b: Evidence,
    request: Request,
    runs: tuple[str, str],
    compared: list[str],
    missing: list[NotCompared],
    near: list[str],
) -> Divergence | None:
    if not a.has_output and not b.has_output:
        missing.append(NotCompared(what="outputs", reason=_why_no_output(a)))
        return None
    pairs: list[Pair] = []
    ignored: list[Pair] = []
    for pair in pairs_by_name(a.outputs, b.outputs):
        record = pair[0] or pair[1]
        assert record is not None
        (ignored if _is_ignored(record.name, request.ignore) else pairs).append(pair)
    for pair in ignored:
        record = pair[0] or pair[1]
        assert record is not None
        missing.append(NotCompared(what=f"output {record.name or 'value'}", reason="--ignore"))
    if any(left is not None and left.digest and left.text != "None" for left, _ in pairs):
        compared.append("outputs")
    elif not pairs or all(left is not None and left.text == "None" for left, _ in pairs):
        missing.append(NotCompared(what="outputs", reason="the function returned nothing to compare"))
    differing = [pair for pair in pairs if _pair_differs(pair, missing, "output ")]
    differing, within = beyond_tolerance(differing, request.tolerance, a.values, b.values)
    near += within
    if not differing:
        return None
    metric = all(left is not None and left.is_metric for left, _ in differing)
    kind = "metric" if metric else "output"
    return _tensor_divergence(kind, None, kind, differing, a, b, runs)


def _why_no_output(a: Evidence) -> str:
    if a.stopped_at is not None:
        return f"the run was ended after {a.stopped_at} optimizer steps (--max-steps)"
    return "a script returns nothing"


def _is_ignored(name: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _compare_stdout(a: Evidence, b: Evidence, request: Request) -> Beside:
    decides = Compare.STDOUT in request.compare
    with a.stdout.open("rb") as left, b.stdout.open("rb") as right:
        number = 0
        while True:
            number += 1
            lines = left.readline(1 << 16), right.readline(1 << 16)
            if lines[0] != lines[1]:
                shown = [_shown(line) for line in lines]
                return Beside(
                    what="stdout", same=False, detail=f"line {number}: {shown[0]} | {shown[1]}", decides=decides
                )
            if not lines[0]:
                return Beside(what="stdout", same=True, detail="", decides=decides)


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
    return repr(text if len(text) <= 80 else text[:77] + "…") if line else "(end)"


def _compare_files(a: Evidence, b: Evidence, request: Request) -> Beside:
    decides = Compare.FILES in request.compare
    left = {file.path: (file.size, file.digest) for file in a.files}
    right = {file.path: (file.size, file.digest) for file in b.files}
    changed = [path for path in left if path in right and left[path] != right[path]]
    only = sorted(left.keys() ^ right.keys())
    detail = ", ".join([f"{path} differs" for path in changed[:5]] + [f"{path} in one run only" for path in only[:5]])
    if len(changed) > 5 or len(only) > 5:
        detail += f" ({len(changed)} differ, {len(only)} in one run only)"
    if left and not detail:
        detail = f"{len(left)} file{'s' if len(left) > 1 else ''} written, equal"
    return Beside(what="files", same=left == right, detail=detail, decides=decides)


def _compare_generators(a: Evidence, b: Evidence) -> list[Beside]:
    differ = [name for name in a.rng if name in b.rng and a.rng[name] != b.rng[name]]
    if not differ:
        return []
    return [Beside(what="generators", same=False, detail=f"state at the end: {', '.join(differ)}")]


def _beside_divergence(item: Beside, runs: tuple[str, str]) -> Divergence:
    return Divergence(stage=item.what, step=None, kind=item.what, names=(), tensors=(), runs=runs, note=item.detail)


def same_history(a: Evidence, b: Evidence) -> bool:
    """Whether two seeds gave equal initial parameters and equal steps: then the seed does not reach the run."""
    initial = {r.name: r.digest for r in a.initial} == {r.name: r.digest for r in b.initial}
    outputs = {r.name: r.digest for r in a.outputs} == {r.name: r.digest for r in b.outputs}
    steps, _ = compare_steps(a.steps, b.steps, a.optimizers, b.optimizers)
    observed = bool(a.initial or count_steps(a.steps) or a.outputs)
    return observed and initial and steps is None and (outputs or count_steps(a.steps) != 0)
