"""Coded diagnoses of what the comparisons showed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import islice

from reprocheck.compare.baseline.summary import fact_number, where_first
from reprocheck.compare.runs import same_initial
from reprocheck.diagnosis.rules.difference_pages import BASELINE_MOVED, DIVERGENCES, MOVED, PAGE_OF, SEED_NO_EFFECT
from reprocheck.model import (
    Against,
    Divergence,
    Evidence,
    Finding,
    MetricShift,
    SeedAudit,
    Settings,
    Status,
    TensorDifference,
    Verdict,
)
from reprocheck.model.baseline import BaselineAnswer, State
from reprocheck.model.kinds import Confidence, Severity, Stage
from reprocheck.protocol import STEP_KINDS, TRAINED_ELSEWHERE, digest_at, records

_CLOCK_NAMES = re.compile(r"(?i)(sec|time|duration|elapsed|latency|throughput|speed|per_s|fps|_ms$)")

_MOST_SHIFTS = 10
_MOST_BATCHES = 100
UNDIAGNOSED = "undiagnosed"
"""The cause of a difference of which only its place is known."""


def is_named_like_a_clock(divergence: Divergence) -> bool:
    """Everything that differs has a name as of a time: seconds, elapsed, fps, ..."""
    return bool(divergence.names) and all(_CLOCK_NAMES.search(name) for name in divergence.names)


def find_divergence(divergence: Divergence, settings: Settings, causes: Sequence[Finding] = ()) -> Finding:
    """The finding for the first difference of a seed; `causes`: what its explanation came to, the likeliest first."""
    code, phrase, note = DIVERGENCES[divergence.stage]
    cause, confidence, advice = UNDIAGNOSED, Confidence.HIGH, _advice(divergence, settings)
    if divergence.kind.startswith(TRAINED_ELSEWHERE):
        phrase, note = (
            "trained parameters differ",
            "child processes had trained the model before it was first called here",
        )
    if divergence.stage == Stage.METRIC and is_named_like_a_clock(divergence):
        cause, confidence = "timing-metric", Confidence.MEDIUM
        note = "the training repeats; the field is named like a clock"
        advice = f"leave it out with --ignore '{divergence.names[0]}'"
    if causes:
        cause, confidence, advice = causes[0].cause, causes[0].confidence, ""
    return PAGE_OF[code].finding(
        cause=cause,
        confidence=confidence,
        message=f"{phrase} between {divergence.runs[0]} and {divergence.runs[1]}"
        + ("" if divergence.rank is None else f", in rank {divergence.rank}"),
        evidence=tuple(item for item in (note, divergence.note, *map(_tensor_text, divergence.tensors[:3])) if item),
        help=advice,
    )


def _tensor_text(tensor: TensorDifference) -> str:
    if tensor.values is None:
        return ""
    values = tensor.values
    return f"{tensor.name}: {values.different} of {values.total} elements differ"


def _advice(divergence: Divergence, settings: Settings) -> str:
    if divergence.kind.startswith(TRAINED_ELSEWHERE):
        return "audit what a child process runs as a target of its own, or let one process update the weights"
    if divergence.stage == Stage.INIT:
        return "look for parameters made before the seed, from an unseeded generator, or never initialised"
    if divergence.stage == Stage.DATA:
        return "look for unseeded generators, sets, directory listings and clocks in the data path"
    if divergence.stage == Stage.STEP and divergence.kind == "steps":
        return "look for a stop that depends on time, on an earlier run's files or on thread order"
    if divergence.stage == Stage.STEP and settings.deterministic is None:
        return "try --deterministic warn, or --threads 1, and see which of them helps"
    if divergence.stage in (Stage.OUTPUT, Stage.METRIC):
        return "look at the evaluation: a random subset, a clock, a sampled prediction"
    return ""


def find_moved(against: Against) -> list[Finding]:
    """The finding for numbers that moved between two revisions."""
    if against.divergence is None:
        return []
    severity = Severity.NOTE if against.allowed else Severity.ERROR
    shifts = [shift_text(shift) for shift in against.shifts if shift.here != shift.base]
    unmoved = "no metric moved" if against.shifts and not shifts else ""
    return [
        PAGE_OF[MOVED].finding(
            severity=severity,
            message=f"the results changed since {against.text}",
            location=against.divergence.location,
            source="" if against.here is None else against.here.code,
            evidence=tuple(item for item in (unmoved, *shifts[:_MOST_SHIFTS]) if item),
            help="" if against.allowed else "if the change means to move them, say so with --allow-different",
        )
    ]


def shift_text(shift: MetricShift) -> str:
    """`loss 0.5 -> 0.25, 2 of one standard deviation over 3 seeds`."""
    spread = (
        "" if shift.in_std is None else f", {abs(shift.in_std):.2g} of one standard deviation over {shift.seeds} seeds"
    )
    base, here = _distinct_text(shift.base, shift.here)
    return f"{shift.name} {base} -> {here}{spread}"


def _distinct_text(a: float, b: float) -> tuple[str, str]:
    """Two numbers with as many digits as it takes to see that they differ."""
    return next(
        (pair for digits in range(4, 17) if (pair := (f"{a:.{digits}g}", f"{b:.{digits}g}"))[0] != pair[1]),
        (repr(a), repr(b)),
    )


def equal_seeds(seeds: Sequence[SeedAudit]) -> tuple[tuple[int, int], ...]:
    """Pairs of seeds with equal histories, each seed with the first that it equals: initial parameters and steps, and
    where no step was taken, outputs."""
    met: dict[tuple[str, ...], int] = {}
    found = []
    for seed in seeds:
        first = next((run for run in seed.runs if run.status in (Status.COMPLETED, Status.STOPPED)), None)
        if first is None or first.status is Status.STOPPED or not (first.init or first.steps_digest or first.output):
            continue
        if first.steps and not first.steps_digest:  # some rank has none
            continue
        key = (first.init, first.steps_digest, "" if first.steps else first.output)
        if key in met:
            found.append((met[key], seed.seed))
        else:
            met[key] = seed.seed
    return tuple(found)


def equal_starts(evidence: Sequence[Evidence]) -> tuple[tuple[int, int], ...]:
    """Pairs of seeds with equal initial parameters, each seed with the first that it equals."""
    return _equal(evidence, same_initial)


def equal_batches(evidence: Sequence[Evidence]) -> tuple[tuple[int, int], ...]:
    """Pairs of seeds with other initial parameters, and with equal batches that are not one batch over and over."""
    return _equal(evidence, _same_batches)


def _same_batches(a: Evidence, b: Evidence) -> bool:
    if same_initial(a, b) or not a.initial:
        return False
    one, other = _batches(a), _batches(b)
    return len(set(one)) > 1 and one == other


def _batches(run: Evidence) -> list[bytes]:
    kind = STEP_KINDS.index("batch")
    return [bytes(digest_at(record, kind)) for record in islice(records(run.steps), _MOST_BATCHES)]


def _equal(evidence: Sequence[Evidence], same: Callable[[Evidence, Evidence], bool]) -> tuple[tuple[int, int], ...]:
    found = []
    for index, one in enumerate(evidence):
        for other in evidence[:index]:
            if same(one, other):
                found.append((other.spec.seed, one.spec.seed))
                break
    return tuple(found)


def find_seed_without_effect(seeds: Sequence[SeedAudit]) -> list[Finding]:
    """Seeds of equal histories: the seed does not reach the run."""
    pairs = equal_seeds(seeds)
    found = [f"seeds {one} and {other} gave equal initial parameters and steps" for one, other in pairs]
    if not found:
        return []
    return [PAGE_OF[SEED_NO_EFFECT].finding(evidence=tuple(found[:3]))]


def find_baseline_moved(answer: BaselineAnswer | None) -> list[Finding]:
    """The finding for numbers that are not those of the baseline."""
    if answer is None or answer.updated or answer.verdict is not Verdict.DIFFERENT:
        return []
    lines = [f"seed {one.seed}: {where_first(one.first)}" for one in answer.seeds if one.first is not None]
    moved = [pair for one in answer.seeds[:1] for pair in one.metrics if pair.state is State.DIFFERENT]
    values = [f"{pair.name} {fact_number(pair.a)} -> {fact_number(pair.b)}" for pair in moved[:5]]
    return [
        PAGE_OF[BASELINE_MOVED].finding(
            message=f"the results are not those of baseline {answer.file}",
            evidence=(*lines[:5], *values),
            help="if they are meant to change, write them down with --update-baseline",
        )
    ]
