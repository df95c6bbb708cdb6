"""What the user asks for: the target, its settings, and what is compared. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from reprocheck.model.tolerance import Tolerance


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
    """Whether repeats differ in the environment factors."""

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
    STDERR = "stderr"
    FILES = "files"
    VARIABLES = "variables"


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
    """The target's own arguments; `{seed}` in them is replaced by the seed of the run."""
    arguments: tuple[tuple[str, Any], ...] = ()
    """Keyword arguments for a function, from `--arg`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of every run. `None` leaves PyTorch's own default alone."""

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
    drift: bool | None = None
    """Compare runs that differ by value, step by step, and with what one ULP does. None: where there are steps enough
    to see growth, and runs of the explanation left."""
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
    """End all runs as soon as two of one seed have diverged."""
    cached: bool = False
    """Use runs of earlier audits where nothing that they rest on has changed."""
    trace: TraceMode = TraceMode.REPLAY
