"""One run, as it is ordered: its environment factors, what instruments record of it, what interventions change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reprocheck.model.request import Settings, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentFactors:
    """The environment factors of one run. `None` leaves a factor as it is found."""

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
class SketchWindow:
    """The steps whose values a run sketches, so that two runs can be compared by value."""

    first: int = 0
    last: int | None = None
    """The last one that is expected: it is written down whatever the room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nudge:
    """Every parameter is moved by one ULP, up or down, right before a step."""

    step: int
    """Optimizer steps that are complete by then."""
    key: int
    """What the directions come from."""


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
class Instruments:
    """What a run records beyond an ordinary one. None of it changes what the target computes."""

    ledger: bool = False
    """Seeds, draws, clocks, entropy, files and threads, each with its line."""
    trace: TraceWindow | None = None
    """Operations, one by one."""
    override_points: bool = False
    """What there is that an intervention could reach: loaders, optimizers."""
    states: bool = False
    """What a training has to restore, step by step (`reprocheck resume`)."""
    times: bool = False
    """When each step ended (`reprocheck cost`)."""
    weights: bool = False
    """What initial weights look like; the run ends before its first step (`reprocheck params`)."""
    doctor: bool = False
    """Initial weights, the first activations and gradients, and memory by phase (`reprocheck doctor`)."""
    sketch: SketchWindow | None = None
    """Values of every step, in little room (`--drift`)."""
    memory_snapshot: Path | None = None
    """Where PyTorch's own record of every allocation on a GPU goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interventions:
    """What a run changes of the target, in memory only, to see whether it matters."""

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
    bucket_cap_mb: float | None = None
    """Of every DistributedDataParallel, as the next two."""
    gradient_as_bucket_view: bool | None = None
    static_graph: bool | None = None
    umask: int | None = None
    """Permissions that new files do not get."""
    calls: int = 1
    """Calls of the target function in this one process; the last one counts."""
    cut: Cut | None = None
    nudge: Nudge | None = None


PLAIN = Instruments()
"""Nothing is recorded beyond the ordinary."""
UNCHANGED = Interventions()
"""Nothing of the target is changed."""


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
    ambient: EnvironmentFactors
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
    instruments: Instruments = PLAIN
    interventions: Interventions = UNCHANGED
    looks_at_weights: bool = False
    """Write down what initial weights look like, if they are few enough to cost next to nothing."""
    compared_with: tuple[str, ...] | None = None
    """Runs that it must not come from one template with; None: all of its seed."""

    @property
    def is_plain(self) -> bool:
        """Nothing is recorded beyond the ordinary and nothing is changed: so are the runs that a verdict rests on,
        unless they are traced or call the function twice."""
        return self.instruments == PLAIN and self.interventions == UNCHANGED

    @property
    def is_cut(self) -> bool:
        """It is ended after some steps, or before the first one."""
        trace = self.instruments.trace
        last = None if trace is None else trace.last
        return self.settings.max_steps is not None or self.instruments.weights or last is not None
