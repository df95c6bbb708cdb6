"""The values that travel between the stages of an explanation. Standard library only.

attribute (Arm, Attribution) → localize (Origin) → diagnose (Case → Finding) → try fixes (Trial) → Explanation
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reprocheck.model import Divergence, Edit, Fact, Location, NotCompared, Request
from reprocheck.model.drift import DriftAnswer
from reprocheck.model.kinds import AttributionKind, OriginKind, SourceKind
from reprocheck.model.values import ValueDifference


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One place on a stack, in the user's code."""

    location: Location
    function: str
    code: str = ""
    """The source line, stripped; empty when it could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedPlace:
    """Where the seed could be given that was missing at run time."""

    location: Location
    code: str
    """The source line, stripped."""
    message: str
    """Why this line: `seed` is not given here."""
    edit: Edit | None = None
    """The changed line, which may be another one than the location."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHit:
    """A pattern that a static look found in the user's source. Adds a line or confidence, never a verdict."""

    pattern: str
    """set-iteration, set-sum, hash-call, id-sort, module-set, listdir, glob, iterdir, hashseed-assignment,
    as-completed, imap-unordered, queue-get, np-empty, torch-empty, functional-dropout, random-state-none,
    seed-parameter-unused, ..."""
    location: Location
    code: str
    function: str = ""
    """Qualified name of the enclosing function; empty at module level."""
    edit: Edit | None = None
    """The one-line change that would fix it, where there is a mechanical one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One source of numbers, order or state from outside that a run used, by name and by line of the user's code."""

    kind: SourceKind
    name: str
    """The function as a user writes it: `numpy.random.default_rng`."""
    generator: str = ""
    """python, numpy, torch, cuda, or a private generator's class: `numpy.random.Generator`."""
    location: Location | None = None
    """The innermost line of the user's code on the stack; None when only library code was there."""
    code: str = ""
    """That source line, stripped."""
    library: str = ""
    """Top-level package of the direct caller when it is not the user's code."""
    value: str = ""
    """Of the first call: the seed, or the path, as text that may differ between runs."""
    count: int = 1
    step: int = 0
    """Optimizer steps taken at the first call."""
    order: int = 0
    """Number of the first call among all entries of the run."""
    threads: int = 1
    """Distinct threads that called it from there."""
    in_import: bool = False
    """The first call came while a module was being imported."""
    in_child: bool = False
    """It came from a process that the target started."""
    frames: tuple[Frame, ...] = ()
    """unseeded: the calls of the user's code that led to it, innermost first."""
    seed_place: SeedPlace | None = None
    """unseeded: where the seed could have been given."""
    hit: SourceHit | None = None
    """order: what the source says there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpCall:
    """One dispatched operation of a traced run."""

    op: str
    """`aten::_index_put_impl_`."""
    step: int
    """Optimizer steps finished before it."""
    phase: str
    """init, forward, backward, optimizer, no-grad."""
    module: str = ""
    """`encoder.layers.0.attn`; empty outside any module."""
    frames: tuple[Frame, ...] = ()
    """Of the user's code, innermost first. For a backward op those of its forward."""
    thread: int = 0
    """0 is the main thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The first operation at which two traced runs diverge."""

    kind: OriginKind
    call: OpCall
    """In the first run; of `extra`, in the run that executed it. Between revisions: in the current state."""
    other: OpCall | None = None
    """extra: what the other run executed in its place, or None at its end. Between revisions: the same call in the
    other one."""
    runs: tuple[str, str] = ("", "")
    only_in: str = ""
    """extra: the run that executed it."""
    argument: str = ""
    """outside, written: which input, as `argument 1 (index)`; generator: which generator."""
    is_batch: bool = False
    """outside: the tensor is an input of a root module's forward."""
    dtype: str = ""
    shape: tuple[int, ...] = ()
    """Of the tensor that differs, in the first run."""
    other_form: str = ""
    """dtype and shape in the second run where they differ."""
    values: ValueDifference | None = None
    values_reason: str = ""
    """Why there are no values."""
    deterministic_note: str = ""
    """What PyTorch itself says of the op: it has no deterministic implementation, it draws random numbers, ..."""
    compared_ops: int = 0
    """Operations that were equal before it."""
    unknown_inputs: bool = False
    """op: what went into it was not recorded, so that its inputs may have differed."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The collective through which a difference between two runs went from rank to rank."""

    op: str
    """all_reduce, ..."""
    group: str
    sequence: int
    """Of the collective in its group."""
    step: int
    forms: tuple[str, ...]
    """Type and shape of what goes in."""
    path: str
    line: int
    ranks: tuple[int, ...]
    """The group's."""
    gave: tuple[int, ...]
    """Those that put something else into it than in the other run. None: the collective itself gave another result."""
    got: tuple[int, ...]
    """Those that it gave something else."""
    origin_in: int | None = None
    """The rank in which the operation was found that differs first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One experiment: runs that differ from the reference in a named way only."""

    name: str
    """`control`, `hash seed`, `frozen clock`, `fresh folder`, `threads 1`, ..."""
    question: str
    """What it asks, as text."""
    runs: int
    """Processes that it took."""
    agreed: int
    differed: int
    """Comparisons of each outcome."""
    failed: str = ""
    """Why it gave no answer; else empty."""
    seconds_ratio: float | None = None
    """Median wall time against plain runs of the audit."""

    @property
    def same(self) -> bool:
        """Every comparison that was made agreed, and there was one."""
        return not self.failed and self.agreed > 0 and self.differed == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What holds known causes constant, so that further runs show what else there is."""

    settings: tuple[tuple[str, Any], ...] = ()
    """Fields of Settings to replace."""
    environment: tuple[tuple[str, str], ...] = ()
    overrides: tuple[tuple[str, Any], ...] = ()
    """Fields of Interventions to replace."""
    edits: tuple[Edit, ...] = ()
    frozen: tuple[str, ...] = ()
    ambient: tuple[tuple[str, Any], ...] = ()
    """Fields of EnvironmentFactors, equal in all runs."""
    tmpdir: str = ""
    """The run whose temporary directory all get."""
    fresh: bool = False
    """Every run in a copy of the folder."""
    home_without: tuple[str, ...] = ()
    """Every run with a home folder of its own, with copies of these files."""

    def __add__(self, other: Hold) -> Hold:
        return Hold(
            settings=(*self.settings, *other.settings),
            environment=(*self.environment, *other.environment),
            overrides=(*self.overrides, *other.overrides),
            edits=(*self.edits, *(edit for edit in other.edits if edit not in self.edits)),
            frozen=(*self.frozen, *other.frozen),
            ambient=(*self.ambient, *other.ambient),
            tmpdir=other.tmpdir or self.tmpdir,
            fresh=self.fresh or other.fresh,
            home_without=(*self.home_without, *other.home_without),
        )


WITH_AND_WITHOUT_EARLIER_FILES = "with and without earlier files"
"""The experiment that shows files of earlier runs next to other causes."""
WITH_AND_WITHOUT_SEEDS = "with and without reprocheck's seeds"
"""The experiment that shows an unseeded generator next to other causes."""
TRIED_AND_AGREED = "with the changed line, tried in memory, the runs agree"
"""The evidence of a cause whose changed line works."""
WITH_AND_WITHOUT_CLOCK = "with and without a constant clock"
"""The experiment that shows a clock next to other causes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """What the difference depends on, as far as experiments showed it."""

    kind: AttributionKind
    factors: tuple[str, ...] = ()
    """The responsible ones: environment factors, or clock, entropy, pid, or python, numpy, torch for seeding."""
    lines: tuple[Location, ...] = ()
    """frozen: the lines whose calls alone had to be replaced."""
    together: bool = False
    """frozen: this is about one of several lines, all of which had to be replaced."""
    arms: tuple[Arm, ...] = ()
    rate: tuple[int, int] = (0, 0)
    """intrinsic: comparisons that differed, of how many with everything equal."""
    note: str = ""
    sets: tuple[tuple[str, ...], ...] = ()
    """ambient: the smallest sets of factors, each enough to make a difference; those of one set only together."""
    excluded: tuple[str, ...] = ()
    """Sources that the experiments rule out, beyond what `kind` does."""
    sure: bool = True
    """The experiment would hardly have come out so by chance: what it is compared with differed often enough."""
    hold: Hold | None = None
    """What holds this cause constant; None where nothing is known to."""
    first_work: tuple[LedgerEntry, ...] = ()
    """leftover: writes and draws of a run that found no file of an earlier one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything that a rule may look at."""

    request: Request
    divergence: Divergence | None
    """None when the seeds had no effect, or for a case that only ledgers speak of."""
    origin: Origin | None = None
    attribution: Attribution | None = None
    entries: tuple[LedgerEntry, ...] = ()
    """Of the first explaining run, in the order of first calls."""
    other_entries: tuple[LedgerEntry, ...] = ()
    """Of the second."""
    hits: tuple[SourceHit, ...] = ()
    """Of every file of the user's code that was imported or run."""
    equal_seeds: tuple[tuple[int, int], ...] = ()
    """Pairs of seeds with equal histories."""
    equal_starts: tuple[tuple[int, int], ...] = ()
    """Pairs of seeds with equal initial parameters."""
    equal_batches: tuple[tuple[int, int], ...] = ()
    """Pairs of seeds with other initial parameters and the same changing batches."""
    settings_at_end: Mapping[str, Any] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()
    """How the training treats its models, gradients and optimizers."""
    warnings: tuple[str, ...] = ()
    """What PyTorch said of ops without a deterministic implementation."""
    written: tuple[str, ...] = ()
    """Real paths of the files that the runs of the audit wrote."""
    equal_generators: bool = False
    """The generators of both runs ended in equal states: as far as they go, both drew alike."""
    cwd: str = ""
    """The folder that relative paths of `entries` start from."""
    alone: bool = False
    """It is about one run, compared with nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """A change that may fix the difference, before it was tried."""

    text: str
    """As a user would do it: `--threads 1`, `torch.use_deterministic_algorithms(True)`."""
    settings: tuple[tuple[str, Any], ...] = ()
    """Fields of Settings to replace."""
    environment: tuple[tuple[str, str], ...] = ()
    overrides: tuple[tuple[str, Any], ...] = ()
    """Fields of Interventions to replace (loader_workers, sorted_listings, ...)."""
    edits: tuple[Edit, ...] = ()
    """Changes of source lines, tried in memory only."""
    hides: str = ""
    """Why it would hide the cause rather than fix it; empty when it is a fix."""
    cost: int = 1
    """Rank: what costs the user least is tried first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A remedy, or several together, after it was tried."""

    remedies: tuple[Remedy, ...]
    agreed: int
    """Runs that agreed, of `runs`."""
    runs: int
    time_ratio: float | None = None
    """Median step time (else wall time) against the plain runs; None when it was not measured."""
    failed: str = ""
    """Why it gave no answer: the target raised under it, ..."""
    as_early: bool = False
    """With it, runs with equal environment factors still differ, and no later in the run than without it."""

    @property
    def works(self) -> bool:
        """All runs agreed."""
        return not self.failed and self.runs > 1 and self.agreed == self.runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What the second half of an audit came to."""

    seed: int
    attribution: Attribution | None
    origin: Origin | None
    trials: tuple[Trial, ...] = ()
    replays: tuple[int, int] = (0, 0)
    """Traced pairs that diverged, of how many."""
    runs: int = 0
    """Further runs that it took."""
    excluded: tuple[str, ...] = ()
    """What the experiments ruled out, as text."""
    further: tuple[Attribution, ...] = ()
    """What else it depends on, found with the causes before it held constant."""
    not_done: tuple[NotCompared, ...] = ()
    drift: DriftAnswer | None = None
    """Whether the difference matters; None where it was not asked."""
    spread: Spread | None = None
    """Of ranks: how it went from one to the others."""
