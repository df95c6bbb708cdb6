"""The closed sets of names that evidence, comparison and diagnosis speak of. Standard library only."""

from __future__ import annotations

from enum import Enum


class Name(str, Enum):
    """A member is its text: in reports, in JSON and in comparisons with text."""

    def __str__(self) -> str:
        return str.__str__(self)

    def __format__(self, spec: str) -> str:
        return str.__format__(self, spec)


class Stage(Name):
    """Where in a run two runs differ first."""

    INIT = "init"
    """Initial parameters and buffers."""
    DATA = "data"
    """What goes into the model at a step."""
    STEP = "step"
    """Forward, loss, gradients, parameters, buffers or optimizer state of a step."""
    CHECKPOINT = "checkpoint"
    """What the target hands to `reprocheck.checkpoint`."""
    OUTPUT = "output"
    """What the target returns."""
    METRIC = "metric"
    """The numbers that the target returns."""
    LENGTH = "length"
    """The number of steps."""
    STDOUT = "stdout"
    """Printed text: standard output, or standard error."""
    FILES = "files"
    VARIABLES = "variables"
    """Globals of the target's modules at the end."""


class Severity(Name):
    """How much a finding counts."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Confidence(Name):
    """How far an answer can be relied on."""

    HIGH = "high"
    """A cause: an experiment would have come out otherwise if it were false. An initialiser: no other that is known
    here draws such values."""
    MEDIUM = "medium"
    """The likeliest by far. Of an initialiser also: the likeliest of a few with nearly the same scale."""
    LOW = "low"
    """A guess. Of an initialiser: too few values to decide."""


class SummaryKind(Name):
    """What a part of the summary of an audit speaks of."""

    RUNS = "runs"
    """How many runs agreed; why there is no verdict."""
    SEEDS = "seeds"
    """How many seeds differ."""
    NOT_COMPARED = "not_compared"
    VARIED = "varied"
    AGAINST = "against"
    BASELINE = "baseline"
    CLASSES = "classes"
    """Runs of several numerical classes."""
    MISSING = "missing"
    """Planned runs that have not ended."""
    EXIT_CODE = "exit_code"
    """What --fail-on and other switches did."""
    HISTORY = "history"
    """Why a line of the history is missing."""
    WHOLE = "whole"
    """All of it, as reports of earlier versions have it."""


class AttributionKind(Name):
    """What the experiments tie a difference to."""

    AMBIENT = "ambient"
    """An environment factor."""
    FROZEN = "frozen"
    """Runs agree once a source from outside (clock, entropy, pid) is replaced by a constant one."""
    PROCESS = "process"
    """Only a second call in one process differs."""
    LEFTOVER = "leftover"
    """Runs agree in fresh copies of the folder."""
    SEEDING = "seeding"
    """Runs agree when reprocheck seeds."""
    INTRINSIC = "intrinsic"
    """Runs differ with everything equal."""
    UNCLEAR = "unclear"
    """The experiments contradict each other, or the budget ended."""


class OriginKind(Name):
    """How a difference arises at the first operation where two traced runs diverge."""

    OP = "op"
    """Equal inputs, other output."""
    GENERATOR = "generator"
    """A random operation found its generator in another state."""
    OUTSIDE = "outside"
    """An input came from outside the traced operations with other values."""
    EXTRA = "extra"
    """One run executed an operation that the other did not."""
    WRITTEN = "written"
    """As outside, but the tensor was equal before, and nothing that the trace sees changed it."""
    ANOTHER = "another"
    """Between revisions: one takes in another tensor than the other does."""
    INPUT = "input"
    """An input differs; the description says whether it is `outside` or `written`."""
    SCALARS = "scalars"
    """Arguments that are no tensors differ."""


class SourceKind(Name):
    """What a call that the ledger records gives the run from outside, or may change the order of."""

    SEED = "seed"
    DRAW = "draw"
    UNSEEDED = "unseeded"
    """A generator made without a seed."""
    CLOCK = "clock"
    ENTROPY = "entropy"
    PID = "pid"
    LISTING = "listing"
    READ = "read"
    WRITE = "write"
    PROBE = "probe"
    """A look whether a file is there."""
    QUERY = "query"
    """A database query without an order."""
    NETWORK = "network"
    SUBPROCESS = "subprocess"
    THREAD = "thread"
    POOL = "pool"
    QUEUE = "queue"
    SHARE_MEMORY = "share_memory"
    LOADER = "loader"
    ENVIRON = "environ"
    """A look at an environment variable."""
    ORDER = "order"
    """The order of a set that was iterated over."""
