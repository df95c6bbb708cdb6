"""The values that travel between the stages of an audit. Standard library only.

plan (RunSpec) → run (Outcome) → evidence (Evidence) → compare (Comparison) → judge (Audit) → report
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprocheck.model.tolerance import Tolerance
from reprocheck.model.values import ValueDifference

if TYPE_CHECKING:
    from reprocheck.model.baseline import BaselineAnswer
    from reprocheck.model.explanation import Explanation, Frame


class Seeding(str, Enum):
    """Which generators reprocheck seeds before the target is imported."""

    ALL = "all"
    TORCH = "torch"
    NONE = "none"


class Deterministic(str, Enum):
    """How `torch.use_deterministic_algorithms` is called."""

    OFF = "off"
    WARN = "warn"
    ERROR = "error"


class AmbientMode(str, Enum):
    """Whether repeats differ in the ambient factors."""

    VARY = "vary"
    FIXED = "fixed"


class Workdir(str, Enum):
    """Where runs work."""

    HERE = "here"
    FRESH = "fresh"
    """Every run in a copy of its own of the current folder."""


class Isolation(str, Enum):
    """Where a run comes from."""

    TEMPLATE = "template"
    """Forked from a warm process that has imported torch, another one for each run of a seed."""
    PROCESS = "process"
    """An interpreter started for it alone."""


class TraceMode(str, Enum):
    """When operations are traced."""

    REPLAY = "replay"
    """After a difference, in further runs."""
    ALWAYS = "always"
    """In the runs of the audit themselves."""


class Compare(str, Enum):
    """Observations that decide only when asked for."""

    STDOUT = "stdout"
    FILES = "files"


class TargetKind(str, Enum):
    """How the target is written on the command line."""

    FILE_FUNCTION = "file-function"
    MODULE_FUNCTION = "module-function"
    SCRIPT = "script"
    MODULE = "module"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The training code under audit."""

    text: str
    """As the user wrote it."""
    kind: TargetKind
    path: Path | None = None
    """The file, for FILE_FUNCTION and SCRIPT; absolute."""
    module: str | None = None
    """The dotted module name, for MODULE_FUNCTION and MODULE."""
    function: str | None = None
    argv: tuple[str, ...] = ()
    """The target's own arguments; `{seed}` in them stands for the seed of the run."""
    arguments: tuple[tuple[str, Any], ...] = ()
    """Keyword arguments for a function, from `--arg`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What every run is told. `None` leaves PyTorch's own default alone."""

    seeding: Seeding = Seeding.ALL
    cudnn_deterministic: bool | None = None
    cudnn_benchmark: bool | None = None
    deterministic: Deterministic | None = None
    tf32: bool | None = None
    threads: int | None = None
    device: str | None = None
    """Value for CUDA_VISIBLE_DEVICES."""
    memory_fraction: float | None = None
    """Share of each visible GPU's memory, 0 < F <= 1."""
    memory_limit: int | None = None
    """Bytes: of each visible GPU, or, where there is none, of the memory that the process writes to."""
    env: tuple[tuple[str, str], ...] = ()
    timeout: float | None = None
    """Seconds per run."""
    max_steps: int | None = None
    """Optimizer steps after which a run ends cleanly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One audit, as asked for: options and configuration merged and checked."""

    target: Target
    settings: Settings = field(default_factory=Settings)
    seeds: tuple[int, ...] = (0,)
    repeats: int = 2
    jobs: int = 1
    ambient: AmbientMode = AmbientMode.VARY
    compare: tuple[Compare, ...] = ()
    ignore: tuple[str, ...] = ()
    """Globs of output leaves to leave out."""
    keep: int = 10
    """How many audits' evidence stays on disk."""
    evidence: Path = Path(".reprocheck")
    explain: bool = True
    """Find out why, after a difference."""
    explain_budget: int = 20
    """Further runs that an explanation may take."""
    workdir: Workdir = Workdir.HERE
    isolation: Isolation = Isolation.TEMPLATE
    against: str | None = None
    """A git revision to compare with."""
    allow_different: bool = False
    """A difference from that revision does not fail."""
    share: tuple[str, ...] = ()
    """What git does not keep, linked into the worktree of that revision."""
    baseline: Path | None = None
    """A file of earlier results to compare with."""
    update_baseline: bool = False
    """Write that file instead of comparing with it."""
    tolerance: Tolerance = field(default_factory=Tolerance)
    in_process_repeat: bool = False
    """One more run calls the function twice in one process; its second call counts as a repeat."""
    fail_fast: bool = False
    """End all runs as soon as two of one seed have parted."""
    cached: bool = False
    """Use runs of earlier audits where nothing that they rest on has changed."""
    trace: TraceMode = TraceMode.REPLAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambient:
    """The ambient factors of one run. `None` leaves a factor as it is found."""

    hash_seed: int | None = None
    """PYTHONHASHSEED."""
    heap_byte: int | None = None
    """The byte that fresh heap memory is filled with; None leaves it as the system gives it."""
    listing_key: int | None = None
    """Directory listings are shuffled with this key; None keeps the file system's order."""
    switch_interval: float | None = None
    """Seconds between thread switches."""
    own_tmpdir: bool = False
    """Whether the run gets a temporary directory of its own."""
    start_gap: float = 0.0
    """Least time in seconds between the starts of two repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A change of one source line, tried in memory only: the file itself is never touched."""

    path: str
    """Absolute."""
    line: int
    """1-based."""
    before: str
    after: str
    """The whole line, without its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceWindow:
    """Which operations a traced run records. Steps count from 0 in run order, over all optimizers."""

    first: int | None = None
    """Record from the end of step `first - 1` on; None: from the import of torch on."""
    last: int | None = None
    """End the run cleanly after step `last`; None: at its own end."""
    inputs: bool = True
    """Fingerprint inputs, too: then it is known whether an operation is the origin of a difference."""
    values: bool = True
    """Keep the bytes of tensors (up to a limit), so that a difference can be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Where a run is ended from within, as a cluster ends it for a more urgent job."""

    after: int
    """Optimizer steps that are complete by then."""
    kill: bool = False
    """SIGKILL at once, instead of SIGTERM and a time of grace."""
    grace: float = 5.0
    """Seconds from SIGTERM to SIGKILL."""
    steps: int = 20
    """Steps that it may take after SIGTERM: then it has not listened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What an explaining run does beyond an ordinary one."""

    ledger: bool = True
    """Take down seeds, draws, clocks, entropy, files and threads, each with its line."""
    trace: TraceWindow | None = None
    frozen: tuple[str, ...] = ()
    """Sources that give constant answers instead of real ones: `clock`, `entropy`, `pid`, or one line of the user's
    code only: `clock@/abs/path.py:12`."""
    edits: tuple[Edit, ...] = ()
    loader_workers: int | None = None
    """Every DataLoader gets so many workers."""
    sorted_listings: bool = False
    """Directory listings come sorted."""
    fill_memory: bool | None = None
    """torch.utils.deterministic.fill_uninitialized_memory."""
    mkldnn: bool | None = None
    """Whether operations are handed to oneDNN."""
    matmul_precision: str | None = None
    """torch.set_float32_matmul_precision."""
    optimizer: str | None = None
    """Every optimizer that offers it gets this implementation: loop, foreach or fused."""
    umask: int | None = None
    """Permissions that new files do not get."""
    watch_calls: bool = False
    """Note what there is that an override could reach."""
    calls: int = 1
    """Calls of the target function in this one process; the last one counts."""
    states: bool = False
    """Write down what a training has to restore, step by step (`reprocheck resume`)."""
    cut: Cut | None = None
    times: bool = False
    """Write down when each step ended (`reprocheck cost`)."""
    weights: bool = False
    """Write down what initial weights look like, and end the run before its first step (`reprocheck params`)."""
    checkup: bool = False
    """Write down initial weights, the first activations and gradients, and memory by phase (`reprocheck doctor`)."""
    memory_snapshot: Path | None = None
    """Where PyTorch's own record of every allocation on a GPU goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A home folder of a run's own: what the user's holds, by links, without what runs wrote there."""

    source: Path
    """The user's home folder."""
    at: Path
    """Where the run's own is made, right before it starts."""
    without: tuple[Path, ...] = ()
    """Files below `source` that are left out: those that earlier runs wrote."""
    copies: bool = False
    """They are copied instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What an earlier run of the same target touched, by real paths: a copy of the folder is to hold it, too."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """One execution of the target in a fresh process."""

    id: str
    """`s<seed>r<repeat>`; unique within an audit."""
    seed: int
    repeat: int
    target: Target
    settings: Settings
    ambient: Ambient
    environment: Mapping[str, str]
    """The whole environment of the process."""
    cwd: Path
    directory: Path
    """Where this run's evidence goes."""
    read_checkpoints: bool = False
    """Fingerprint saved checkpoints by their tensors, not by the bytes of the file."""
    copy_of: Path | None = None
    """The folder that `cwd` is made a copy of right before the run; None: `cwd` is there already."""
    known: Known | None = None
    """With `copy_of`: what is known of the runs in that folder."""
    copy_without: tuple[str, ...] = ()
    """Files that the copy lacks, by their paths in the folder."""
    home: Home | None = None
    """A home folder of its own; `environment` names it already. None: the user's."""
    probe: Probe | None = None
    """None for the runs that a verdict rests on, unless they are traced or call the function twice."""
    looks_at_weights: bool = False
    """Write down what initial weights look like, if they are few enough to cost next to nothing."""
    compared_with: tuple[str, ...] | None = None
    """Runs that it must not come from one template with; None: all of its seed."""


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
    last_words: str = ""
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
    settings_at_end: Mapping[str, Any]
    memory: Mapping[str, Any]
    stopped_at: int | None
    """The optimizer step after which --max-steps ended the run."""
    notes: tuple[str, ...]
    """What could not be observed, in words."""
    values: Path
    checkpoints: tuple[CheckpointRecord, ...] = ()
    """In the order in which they were written down."""
    partial: bool = False
    """The run was ended on the way: there is no more than its first steps."""
    sources: tuple[str, ...] = ()
    """The files of the user's code that it imported or ran."""
    facts: tuple[Fact, ...] = ()
    unobserved: tuple[NotCompared, ...] = ()
    """What the target made and the worker could not see."""
    reads: tuple[str, ...] = ()
    """Real paths of what the run read, listed or asked after, of plain runs; not of files that it had made itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place in the user's code."""

    path: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorDifference:
    """One named thing that differs between two runs, and how much where its values were kept."""

    name: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    a: str
    """Digest or text in the first run; empty when it is absent there."""
    b: str
    values: ValueDifference | None = None
    reason: str = ""
    """Why there are no values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """The first difference in run order between two runs."""

    stage: str
    """init, data, step, checkpoint, output, metric, length, stdout or files."""
    step: int | None
    """0-based optimizer step, for data, step and checkpoint."""
    kind: str
    """What differs: parameters, buffers, batch, loss, gradients, output, ..."""
    names: tuple[str, ...]
    tensors: tuple[TensorDifference, ...]
    runs: tuple[str, str]
    note: str = ""
    """One sentence that a reader needs beside it."""
    op: str | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCompared:
    """An observation that could not be compared, and why. Never counts as same."""

    what: str
    reason: str
    is_result: bool = False
    """A user would call it the result of the training, or a part of it: the first line of a report says so."""
    help: str = ""
    """What to do, so that it is compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A comparison that is shown, and decides only when asked for."""

    what: str
    """stdout, files, rng, ..."""
    same: bool
    detail: str
    decides: bool = False
    only_times: bool = False
    """What differs are durations, dates and the like, which no two runs share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs of the same seed, compared."""

    divergence: Divergence | None
    compared: tuple[str, ...]
    """Which observations were compared at all."""
    not_compared: tuple[NotCompared, ...]
    beside: tuple[Beside, ...]
    notes: tuple[str, ...] = ()


class Verdict(str, Enum):
    """What an audit, or one seed of it, came to."""

    REPRODUCIBLE = "reproducible"
    DIFFERENT = "different"
    NO_VERDICT = "no_verdict"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnseededGenerator:
    """A generator that all processes of Python have and that the target draws from before it has seeded it."""

    name: str
    """python, numpy, torch or cuda."""
    location: Location | None = None
    """The line of its first draw."""
    late: bool = False
    """The target seeds it, but only after that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfSeeding:
    """Whether a target whose runs agree does so without the seeds that reprocheck sets."""

    seeds_itself: bool | None
    """None: not known."""
    reason: str = ""
    """Why it is not known."""
    declined: bool = False
    """It is not known because nobody wanted to (--no-explain, --explain-budget 0)."""
    unseeded: tuple[UnseededGenerator, ...] = ()
    """What it leaves unseeded, in the order of the draws."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A coded diagnosis."""

    code: str
    cause: str
    """Slug of the cause."""
    severity: str
    """error, warning or note."""
    confidence: str
    """high, medium or low."""
    message: str
    location: Location | None = None
    source: str = ""
    """The source line at the location, stripped."""
    evidence: tuple[str, ...] = ()
    help: str = ""
    edit: Edit | None = None
    """The changed line, as a suggestion: nothing is ever written."""
    calls: tuple[Location, ...] = ()
    """The calls of the user's code that led to it, innermost first, where they say more than the location."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One run as the report shows it. Digests are 32 hexadecimal digits, empty when not observed."""

    id: str
    repeat: int
    status: Status
    reason: str
    last_words: str
    init: str
    steps_digest: str
    steps: int
    output: str
    metrics: Mapping[str, float]
    seconds: float
    memory: Mapping[str, Any]
    """In bytes: rss_peak of the process as it ran, plain_rss_peak (about what it would take without us),
    children_rss_peak of its largest child, and cuda: per device allocated_peak and reserved_peak."""
    settings: Mapping[str, Any]
    """As they were at the end of the run."""
    ambient: Mapping[str, Any]
    stopped_at: int | None
    directory: str
    reused_from: str = ""
    """The audit that it was made in, if not in this one (--cached)."""
    out_of_memory: OutOfMemory | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    """Of the files of its evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedAudit:
    """All runs of one seed, judged."""

    seed: int
    verdict: Verdict
    reason: str
    """Why there is no verdict; else empty."""
    runs: tuple[RunSummary, ...]
    divergence: Divergence | None
    beside: tuple[Beside, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSummary:
    """One metric over seeds, each of which counts once by the mean of its runs, and its spread within a seed.

    All but the names and counts are None or NaN where they cannot be had; `notes` say why.
    """

    name: str
    seeds: int
    """That have it."""
    mean: float
    std: float | None
    """Sample standard deviation over seeds; None with one seed."""
    within: float
    """Greatest max - min among repeats of one seed."""
    runs: int = 0
    """That have it, over all seeds."""
    minimum: float | None = None
    """Of the seeds, as `maximum`."""
    maximum: float | None = None
    interval: tuple[float, float] | None = None
    """Holds the mean over all seeds that there are with a chance of 95 %, by Student's t; None with one seed."""
    seed_std: float | None = None
    """Standard deviation that comes from the seed: what is left of `std` without the part that repeats show."""
    within_std: float | None = None
    """Standard deviation that remains when the seed is fixed, pooled over seeds; None with one run a seed."""
    notes: tuple[str, ...] = ()
    """What a reader has to know of it, in words."""
    values: tuple[tuple[int, tuple[float, ...]], ...] = ()
    """Seed, and the metric in each of its runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricShift:
    """One metric in the other revision and here, beside what another seed would do to it."""

    name: str
    seeds: int
    base: float
    """Mean over seeds, in the other revision."""
    here: float
    std: float | None
    """Sample standard deviation over seeds in the other revision; None with one seed."""

    @property
    def in_std(self) -> float | None:
        """The shift of the mean in standard deviations over seeds."""
        return None if not self.std else (self.here - self.base) / self.std


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A stretch of the code that ran and that reads otherwise in another revision."""

    here: Location
    """Its first line in the current state; of lines that are gone: where they stood."""
    base: Location
    """The same in the other revision; the path as git writes it: `HEAD~1:train.py`."""
    before: tuple[str, ...]
    """The lines of the other revision, without their indentation; so are those of `after`."""
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """The comparison with another revision."""

    text: str
    """The revision, as the user named it."""
    commit: str
    verdict: Verdict
    """REPRODUCIBLE: the same numbers. NO_VERDICT: they could not be compared."""
    reason: str
    """Why they could not be compared; else empty."""
    seeds: tuple[SeedAudit, ...]
    """The runs of the other revision, judged among themselves."""
    differing: tuple[int, ...]
    """Seeds whose numbers moved."""
    divergence: Divergence | None
    """The first difference between the revisions, of the first seed that differs."""
    shifts: tuple[MetricShift, ...]
    allowed: bool
    """--allow-different was given."""
    changes: tuple[Change, ...] = ()
    """What reads otherwise in the Python code that ran."""
    other_files: tuple[str, ...] = ()
    """Changed or new files in the repository beside that code, documents, and what the runs themselves wrote."""
    here: Frame | None = None
    """The line at which the revisions part, in the current state."""
    base: Frame | None = None
    """The line that stands for it in the other revision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The whole answer: what reports are made of."""

    request: Request
    verdict: Verdict
    exit_code: int
    summary: str
    """One sentence."""
    seeds: tuple[SeedAudit, ...]
    divergence: Divergence | None
    """Of the first seed that differs."""
    findings: tuple[Finding, ...]
    explanation: Explanation | None = None
    """Why the first seed that differs does; None when nothing differed or nobody asked."""
    against: Against | None = None
    baseline: BaselineAnswer | None = None
    metrics: tuple[MetricSummary, ...]
    compared: tuple[str, ...]
    not_compared: tuple[NotCompared, ...]
    varied: tuple[str, ...]
    """Ambient factors that differed between repeats."""
    not_varied: tuple[NotCompared, ...]
    """Ambient factors that did not, and why."""
    manifest: Mapping[str, Any]
    started: str
    """ISO 8601, local time with offset."""
    seconds: float
    directory: Path
    """Where the evidence is."""
    self_seeding: SelfSeeding | None = None
    """None where the question does not arise: runs differ, or are made without reprocheck's seeding anyway."""
    run_again: Mapping[int, str] = field(default_factory=dict)
    """With --cached: seed → why its runs were made anew."""
