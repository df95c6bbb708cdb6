"""What is kept of runs to compare with, and what a comparison came to. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from reprocheck.model.kinds import Stage
from reprocheck.model.tolerance import Tolerance

if TYPE_CHECKING:
    from reprocheck.model import TensorRecord, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The step records of one run, or what was kept of them."""

    observed: bool
    """Anything that decides was seen in them."""
    count: int = 0
    digest: str = ""
    """Of the whole history."""
    marks: tuple[tuple[int, str], ...] = ()
    """Step → digest of all history up to it, in run order."""
    optimizers: int = 0
    """How many; 0 when not known. The order in which several step may change and mean nothing."""
    records: bytes | memoryview = b""
    """Everything, where it is at hand."""
    keys: tuple[str, ...] = ()
    """Of the optimizers, where the records are at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One run of a seed, as far as it is known: an evidence folder has all, a report only digests."""

    init: tuple[TensorRecord, ...] | None
    """None where only the digest of all is known."""
    init_digest: str
    steps: Steps
    outputs: tuple[TensorRecord, ...] | None
    output_digest: str
    metrics: Mapping[str, float]
    checkpoints: tuple[TensorRecord, ...] | None = ()
    """All calls under one name as one record; None where they are not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one numerical class of machines came to."""

    numerical_class: Mapping[str, Any]
    python: str
    packages: Mapping[str, str]
    seeds: Mapping[int, Snapshot]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """One baseline file."""

    target: Mapping[str, Any]
    settings: Mapping[str, Any]
    tolerance: Tolerance = field(default_factory=Tolerance)
    entries: Mapping[str, Entry] = field(default_factory=dict)
    """By the name of the numerical class."""


class State(str, Enum):
    """What became of one comparison."""

    SAME = "same"
    NEAR = "within tolerance"
    DIFFERENT = "different"
    NOT_COMPARED = "not compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorPair:
    """One named tensor, or other leaf of an output, on both sides."""

    part: str
    """`initial parameters`, `checkpoints` or `outputs`."""
    name: str
    form: str
    """`float32[64, 3]`; both where they differ."""
    state: State
    a: str
    """Digest, or text where it has one; empty where it is absent."""
    b: str
    reason: str = ""
    """Why it was not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPair:
    """One metric on both sides; None where it is absent."""

    name: str
    state: State
    a: float | None
    b: float | None
    allowed: str = ""
    """The tolerance, as text; empty for bits."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartState:
    """One of the initial parameters, steps, checkpoints, outputs and metrics."""

    what: str
    state: State
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """The first difference in run order, as closely as both sides show."""

    stage: Stage
    """init, step, checkpoint, output or metric."""
    kind: str = ""
    """parameters, gradients, ...; empty when not known."""
    low: int | None = None
    """The first step, from 0, at which it can lie."""
    high: int | None = None
    """The last one; equal to `low` when the step is known."""
    names: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedComparison:
    """One seed on both sides."""

    seed: int
    parts: tuple[PartState, ...]
    tensors: tuple[TensorPair, ...]
    metrics: tuple[MetricPair, ...]
    first: First | None

    @property
    def is_comparable(self) -> bool:
        """Something decided. What differs in bits where only values would count leaves it to the metrics."""
        compared = [part for part in self.parts if part.state is not State.NOT_COMPARED]
        left_open = any(part.state is State.NOT_COMPARED and part.reason == UNMEASURED for part in self.parts)
        return any(part.what == "metrics" for part in compared) if left_open else bool(compared)


UNMEASURED = "digests differ, and only values could be measured with the tolerance"
"""Why a difference of bits does not decide."""
OTHER_CLASS = "other numerical class"
"""Why bits were not compared at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineAnswer:
    """The comparison of an audit with a baseline file."""

    file: str
    verdict: Verdict
    """REPRODUCIBLE: as the baseline has it. NO_VERDICT: nothing could be compared."""
    reason: str
    """Why there is no verdict; else empty."""
    class_name: str
    """Of this machine."""
    compared_class: str
    """The class whose entry was compared with; empty when none was."""
    class_differences: tuple[tuple[str, str, str], ...]
    """What sets that class apart: fact, there, here."""
    packages: tuple[tuple[str, str, str], ...]
    """Packages of other versions: name, in the baseline, now."""
    seeds: tuple[SeedComparison, ...]
    tolerance: Tolerance
    updated: bool = False
    """The file was written, so that nothing was left to fail."""
    kept: tuple[str, ...] = ()
    """Classes whose entries stayed in the file as they were."""
