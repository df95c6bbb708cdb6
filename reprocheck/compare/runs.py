"""Evidence and Evidence → Comparison: the first difference in run order, and what was not compared. Reads values only
where digests differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from reprocheck.compare.checkpoints import AT_END, compare_checkpoints, ended_before
from reprocheck.compare.grid import step_grid
from reprocheck.compare.informational import compare_informational, informational_divergence
from reprocheck.compare.pairs import Parts, more
from reprocheck.compare.ranks import compare_ranks, first_of, in_part
from reprocheck.compare.steps import (
    StepDifference,
    compare_cut_threads,
    compare_steps,
    has_observations,
    hashed_elsewhere,
    is_cut_in_threads,
)
from reprocheck.compare.tensors import compare_initial, compare_outputs
from reprocheck.model import (
    Comparison,
    Divergence,
    Evidence,
    NotCompared,
    Request,
    TensorRecord,
)
from reprocheck.model.kinds import Stage
from reprocheck.protocol import RECORD_SIZE, count_optimizers, count_steps

UNMEASURED = "their digests differ, and a tolerance can only be measured on values"
"""Why steps do not decide where a tolerance was asked for."""
ELSEWHERE = "one run had its tensors read on a GPU, the other on the host: that makes other digests of equal values"


CUT_THREADS = "the runs were ended while threads trained: which thread took how many of these steps is chance"
CALLS = "model calls"
"""What there is to compare of a target that took no step."""
_OF_TRAINING = ("initial parameters", "steps", "outputs")
"""What a process has that trains: one that only launches ranks has none of it."""


def compare(a: Evidence, b: Evidence, request: Request) -> Comparison:
    """Two runs of one seed."""
    if a.partial or b.partial:
        common = min(len(a.steps), len(b.steps)) // RECORD_SIZE
        a, b, request = cut(a, common, is_own=True), cut(b, common, is_own=True), replace(request, compare=())
    parts = Parts((a.spec.id, b.spec.id))
    compare_initial(a, b, request, parts)
    steps = _compare_steps(a, b, request, parts)
    parts.found += compare_checkpoints(a, b, request, parts.compared, parts.missing, parts.near)
    compare_outputs(a, b, request, parts)
    if steps.is_unknown and "outputs" not in parts.compared:
        parts.compared.clear()  # an equal start says nothing of a training that went another way
    informational = compare_informational(a, b, request, parts.missing)
    for item in informational:
        if item.decides:
            parts.compared.append(item.what)
            if not item.same:
                parts.found.append((AT_END, 3, informational_divergence(item, parts.runs)))
    parts.missing += dict.fromkeys((*a.unobserved, *b.unobserved))
    own = parts.first
    of_ranks, compared_in_ranks, missing_in_ranks = compare_ranks(a, b, request, compare)
    if compared_in_ranks:
        passed = _OF_TRAINING if not parts.compared else () if a.initial or count_steps(a.steps) else _OF_TRAINING[:2]
        parts.missing = [item for item in parts.missing if item.what not in passed or item.is_result]
        parts.compared += (what for what in compared_in_ranks if what not in parts.compared)
    parts.missing += missing_in_ranks
    return Comparison(
        divergence=in_part(first_of([*([] if own is None else [own]), *of_ranks]), a, b),
        compared=tuple(parts.compared),
        not_compared=tuple(parts.missing),
        informational=tuple(informational),
        notes=tuple(dict.fromkeys([*_notes(steps, parts), *a.notes, *b.notes])),
        grid=step_grid(a.steps, b.steps, parts.runs) if steps.differ else None,
        ranks=tuple(of_ranks),
    )


@dataclass(frozen=True, slots=True)
class _Steps:
    differ: bool
    is_unknown: bool
    """Whether equal results could not be told from different ones."""
    is_reordered: bool


def _compare_steps(a: Evidence, b: Evidence, request: Request, parts: Parts) -> _Steps:
    first, reordered = compare_steps(a.steps, b.steps, a.optimizers, b.optimizers)
    if first is not None and a.stopped_at is not None and b.stopped_at is not None:
        found, is_told = compare_cut_threads(a.steps, b.steps, a.optimizers, b.optimizers)
        if is_told:
            first = found
            parts.missing.append(NotCompared(what="steps that one run took and the other did not", reason=CUT_THREADS))
    unmeasured = first is not None and not request.tolerance.is_exact
    elsewhere = hashed_elsewhere(a.steps, b.steps)
    if elsewhere:
        help = "run all on one kind of device"
        parts.missing.append(NotCompared(what="steps", reason=ELSEWHERE, is_result=True, help=help))
    elif unmeasured:
        parts.missing.append(NotCompared(what="steps", reason=UNMEASURED))
    elif has_observations(a.steps) or has_observations(b.steps):
        parts.compared.append("steps" if count_steps(a.steps) or count_steps(b.steps) else CALLS)
    else:
        reason = "no optimizer step, backward pass or model call was seen"
        parts.missing.append(NotCompared(what="steps", reason=reason))
    is_unknown = elsewhere or unmeasured
    if first is not None and not is_unknown:
        parts.found.append((first.step, 2, _step_divergence(first, parts.runs)))
    return _Steps(first is not None and not is_unknown, is_unknown, reordered)


def _notes(steps: _Steps, parts: Parts) -> list[str]:
    near = parts.near
    notes = ["steps of independent optimizers came in a different order, each with equal numbers"]
    notes = notes if steps.is_reordered else []
    return notes + (
        [f"within the tolerance, with different bits: {', '.join(near[:5])}" + more(near[5:])] if near else []
    )


def cut(evidence: Evidence, steps: int, *, is_own: bool = False) -> Evidence:
    """As if the run, and each of its ranks unless `is_own`, had been ended after so many steps. What came after the
    last step is a record of its own."""
    kept = memoryview(evidence.steps)[: steps * RECORD_SIZE]
    in_threads = evidence.stopped_at is None and is_cut_in_threads(kept, evidence.optimizers)
    return replace(
        evidence,
        stopped_at=min(steps, count_steps(evidence.steps)) if in_threads else evidence.stopped_at,
        initial=tuple(record for record in evidence.initial if record.step < steps),
        checkpoints=tuple(record for record in evidence.checkpoints if ended_before(record, steps)),
        steps=kept,
        optimizers=evidence.optimizers[: count_optimizers(kept)]
        if len(evidence.optimizers) > 1
        else evidence.optimizers,
        outputs=(),
        has_output=False,
        variables=(),
        ranks=evidence.ranks
        if is_own
        else tuple(replace(one, evidence=cut(one.evidence, steps)) for one in evidence.ranks),
    )


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
    stage = Stage.DATA if found.kind == "batch" else Stage.STEP
    return Divergence(
        stage=stage, step=found.step, kind=found.kind, names=(), tensors=(), runs=runs, note="; ".join(notes)
    )


def same_initial(a: Evidence, b: Evidence) -> bool:
    """Whether two seeds start from equal parameters, of which there are some."""
    return bool(a.initial) and _digests(a.initial) == _digests(b.initial)


def _digests(records: Iterable[TensorRecord]) -> dict[str, str]:
    return {record.name: record.digest for record in records}
