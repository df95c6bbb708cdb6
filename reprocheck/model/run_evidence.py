"""What a run left: how it ended, and what was observed in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass
from reprocheck.model.difference import Location, NotCompared
from reprocheck.model.run_spec import RunSpec


class Status(str, Enum):
    """How a run ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    LOST = "lost"
    STOPPED = "stopped"
    """Ended by --fail-fast: its evidence goes up to the first difference."""
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one run. Only COMPLETED has complete evidence."""

    spec: RunSpec
    status: Status
    reason: str = ""
    """One line for a person: why there is no complete evidence."""
    stderr_tail: str = ""
    """The end of the target's standard error (or output)."""
    seconds: float = 0.0
    """Wall time of the process."""
    usage: bool = False
    """The target as named cannot be run at all (no such function, ...): a usage error."""
    reused_from: str = ""
    """The audit that the run was made in, if not in this one (--cached)."""
    out_of_memory: OutOfMemory | None = None
    """With FAILED, where that was the reason."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Of the files in its folder as it ended; empty where nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTensor:
    """A tensor that was there when memory ran out."""

    name: str
    """Of a parameter, a gradient, a state of an optimizer, or a variable; empty for one that has no name."""
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    """Of its storage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfMemory:
    """An allocation that failed. Sizes are in bytes, None where they are not known."""

    device: str
    """cpu, cuda:0, ..."""
    requested: int | None
    allocated: int | None
    """By tensors; on a CPU, what the process held in memory."""
    reserved: int | None
    """By PyTorch's allocator, with what it keeps for later; on a CPU, what the process may write to."""
    allowed: int | None
    """By --memory-limit or --memory-fraction; None without one."""
    total: int | None
    step: int
    """Optimizer steps taken by then."""
    during: str
    """forward, backward, optimizer step, evaluation, or empty."""
    module: str
    """By path, with its class; empty where none was at work."""
    location: Location | None
    tensors: tuple[LiveTensor, ...]
    """The largest, at most a few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorRecord:
    """The fingerprint of one named tensor, or of any other leaf of an output."""

    name: str
    kind: str
    """parameter, buffer, tensor, array, numbers, number, string, ..."""
    dtype: str = ""
    shape: tuple[int, ...] = ()
    digest: str = ""
    """32 hexadecimal digits; empty when it could not be fingerprinted."""
    text: str = ""
    """The value of a scalar or string leaf, as text; else empty."""
    offset: int | None = None
    """Where its bytes start in values.bin, or None when they were not kept."""
    size: int = 0
    """Bytes in values.bin."""
    reason: str = ""
    """Why it has no digest."""
    step: int = 0
    """For initial state: optimizer steps taken (by other models) before it was seen."""
    model: str = ""
    """For initial state: the model that it belongs to, whether or not its name begins with it."""

    @property
    def is_metric(self) -> bool:
        """A number that says how good a training is: any Python number, or a floating-point scalar."""
        floating = self.dtype.lstrip("<>=|").startswith(("f", "bf"))
        in_a_table = self.name.count("[") > 1
        return bool(self.text) and self.shape == () and (self.kind == "number" or floating) and not in_a_table


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRecord:
    """One call of `reprocheck.checkpoint`, or a row of calls under one name that were fingerprinted together."""

    name: str
    call: int
    """0-based number of the call, or of the first one, under this name."""
    calls: int
    step: int | None
    """Optimizer steps taken before the (last) call; None for calls outside the main thread."""
    digest: str
    before: str
    """Digest of what had been observed in that step before the call."""
    tensors: tuple[TensorRecord, ...]
    """Of one call: its leaves, where they were listed."""
    unread: int
    """Leaves that have no fingerprint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """A file that the run wrote, whoever of its processes did."""

    path: str
    """Relative where it lies in the folder of the run, else real and absolute."""
    size: int
    digest: str
    """Of its bytes."""
    contents: tuple[str, ...] = ()
    """`format:digest` of what it holds, in every way in which it was read by value."""
    kind: str = ""
    """removed, link; shared: other runs were at work in the same folder; found or absent: another run of the audit
    wrote or removed it, and this one left it so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRecord:
    """A named part of a run: a cell of a notebook, an epoch."""

    name: str
    step: int
    """Optimizer steps taken before it."""
    values: tuple[TensorRecord, ...] = ()
    """Numbers, arrays and tensors in the globals that a cell mentions, at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something about how a training treats its models, gradients and optimizers."""

    kind: str
    """train-mode-without-grad, gradients-not-zeroed, ...: the cause of the finding that it makes."""
    location: Location | None = None
    """The line that did it first."""
    names: tuple[str, ...] = ()
    """Modules, parameters or classes that it is about, the first few."""
    named: int = 0
    """How many there are."""
    count: int = 1
    step: int = 0
    """Optimizer steps taken when it was first seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything observed in one run."""

    spec: RunSpec
    seconds: float
    """Wall time of the process."""
    stepping: float
    """Seconds between the first and the last step record."""
    manifest: Mapping[str, Any]
    rng: Mapping[str, str]
    """Generator name → digest of its state at the end."""
    rng_at_start: Mapping[str, str] = field(default_factory=dict)
    """The same before the target was imported, after reprocheck's seeding."""
    initial: tuple[TensorRecord, ...]
    steps: bytes | memoryview
    """Step records of protocol.RECORD_SIZE bytes in run order."""
    optimizers: tuple[str, ...]
    """For each optimizer of the step records: the digest of its parameters before its first step."""
    outputs: tuple[TensorRecord, ...]
    has_output: bool
    """A function returned (even if it returned None)."""
    files: tuple[FileRecord, ...]
    stdout: Path
    stderr: Path
    stdout_is_own: bool = True
    """Standard output is as it was when the run ended."""
    stderr_is_own: bool = True
    pid: int = 0
    variables: tuple[TensorRecord, ...] = ()
    """Numbers, arrays and tensors in globals of the target's modules at the end."""
    settings_at_end: Mapping[str, Any]
    memory: Mapping[str, Any]
    stopped_at: int | None
    """The optimizer step after which --max-steps ended the run."""
    notes: tuple[str, ...]
    """What could not be observed, as text."""
    values: Path
    checkpoints: tuple[CheckpointRecord, ...] = ()
    """In the order in which they were written down."""
    partial: bool = False
    """The run was ended on the way: there is no more than its first steps."""
    sources: tuple[str, ...] = ()
    """The files of the user's code that it imported or ran."""
    facts: tuple[Fact, ...] = ()
    parts: tuple[PartRecord, ...] = ()
    """In the order in which they began."""
    unobserved: tuple[NotCompared, ...] = ()
    """What the target made and the worker could not see."""
    reads: tuple[str, ...] = ()
    """Real paths of what the run read, listed or asked after, of plain runs; not of files that it had made itself."""
    ranks: tuple[RankEvidence, ...] = ()
    """Processes of the run that are ranks of a distributed training, in order."""

    @property
    def elsewhere(self) -> tuple[NotCompared, ...]:
        """What is not seen by who looks at the process of the run alone."""
        if not self.ranks:
            return self.unobserved
        count = len({one.rank for one in self.ranks})
        what = f"{count} rank{'s' if count > 1 else ''} of a distributed training"
        reason = "only the process of the run is looked at here"
        return (*self.unobserved, NotCompared(what=what, reason=reason, is_result=True, kind="ranks", count=count))


@dataclass(frozen=True, slots=True, kw_only=True)
class RankEvidence:
    """One rank of a run."""

    rank: int
    start: int
    """How many processes were this rank before: a run may start all ranks again, fold by fold."""
    local_rank: int | None
    world_size: int | None
    host: str
    left_open: bool
    """The process before it had not closed its evidence: which of two at work at once is which, is chance."""
    from_start: bool
    """It was seeded as the run is; else it was met where it joined its group."""
    evidence: Evidence

    @property
    def name(self) -> str:
        """As a report names it."""
        return f"rank {self.rank}" + (f" (start {self.start + 1})" if self.start else "")


def as_rank(run: Evidence, rank: int | None) -> Evidence:
    """A run as it is seen from one of its ranks, first start; the others stay beside it. None: the run itself. A run
    without that rank stays as it is."""
    own = next((one for one in run.ranks if one.rank == rank and not one.start), None)
    if own is None:
        return run
    others = tuple(one for one in run.ranks if one is not own)
    return replace(own.evidence, ranks=others, sources=run.sources, reads=run.reads, files=run.files, facts=run.facts)
