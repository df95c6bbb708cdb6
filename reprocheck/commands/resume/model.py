"""The values of `reprocheck resume`: runs (History) → alignment (Alignment) → answer (Answer)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reprocheck.diagnosis.rules.resume_pages import PAGE_OF
from reprocheck.errors import ExitCode
from reprocheck.model import NotCompared, Outcome, Request, TensorRecord, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeOrder:
    """What was asked for: everything checked, nothing run."""

    request: Request
    at: int | None = None
    """Optimizer steps after which run B is ended; None: half of those that run A takes."""
    kill: bool = False
    grace: float = 5.0
    """Seconds from SIGTERM to SIGKILL."""
    extra_argv: tuple[str, ...] = ()
    """What a script or module gets besides when it is resumed."""
    arguments: tuple[tuple[str, object], ...] = ()
    """The same for a function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """One model after a step."""

    label: str
    """Its class, with a number where there are several."""
    owned: bool
    """An optimizer holds parameters of it."""
    parameters: str
    buffers: str
    evaluating: int = 0
    """Of its modules, itself among them: those in evaluation mode."""
    frozen: int = 0
    """Parameters that take no gradient."""

    @property
    def kind(self) -> str:
        """The label without the number, which depends on the order of first calls."""
        return self.label.partition("#")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """What a step read and left behind. Digests, empty where nothing was observed."""

    step: int
    """0-based, in the run's own count."""
    optimizer: int
    batch: str
    """Of calls in which gradients were taken."""
    loss: str
    gradients: str
    hyperparameters: str
    rates: tuple[float, ...]
    """Learning rate of each group of parameters."""
    parameters: str
    """Those that the optimizer holds."""
    state: str
    """Of the optimizer, after the step."""
    scalers: tuple[Mapping[str, float], ...]
    generators: Mapping[str, str]
    models: tuple[ModelState, ...]
    positions: tuple[int, ...] = ()
    """Of loaders that gave batches for it: how many of their passes so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """An optimizer right before its first step."""

    step: int
    optimizer: int
    parameters: str
    state: str
    entries: int
    """Parameters that it has a state for: 0 for a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Save:
    """One call of torch.save."""

    step: int
    """Optimizer steps taken before."""
    path: str
    """Empty for a buffer."""
    leaves: tuple[TensorRecord, ...]
    generators: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A pass over a loader that began."""

    step: int
    """Optimizer steps taken before."""
    generators: Mapping[str, str]
    """Their states before it drew anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What one run left behind of its states, however it ended."""

    starts: tuple[Start, ...] = ()
    steps: tuple[StepState, ...] = ()
    saves: tuple[Save, ...] = ()
    loads: tuple[str, ...] = ()
    """Files given to torch.load."""
    restored: tuple[tuple[str, str], ...] = ()
    """Generators that were set back: name, digest of the state they got."""
    passes: tuple[Pass, ...] = ()
    given: frozenset[str] = frozenset()
    """Digests of modules that a state_dict was loaded into before the first step: of each tensor, and of the parameters
    together."""
    handler: str = ""
    """What it does on SIGTERM: default, ignored or own; empty when it was not cut."""
    killed_after: str = ""
    """What it was given after SIGTERM before it was killed; empty when it ended by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Which step of run A the first step of the resumed run is."""

    step: int
    by: str
    """What the states agree in: parameters, optimizer state, or steps left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """One kind of state at the resumption, and that of the run that was not stopped."""

    what: str
    same: bool | None
    """None: it was not observed or there is none."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first difference after the cut, in run order."""

    step: int | None
    """Of run A; None for the outputs."""
    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What was not restored, as far as it was shown."""

    slug: str
    confidence: str
    """high, medium or low."""
    message: str
    evidence: tuple[str, ...] = ()
    help: str

    @property
    def code(self) -> str:
        """Of its page."""
        return PAGE_OF[self.slug].code


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The resumed run held against the one that was not stopped."""

    difference: Difference | None = None
    restored: tuple[Restored, ...] = ()
    causes: tuple[Cause, ...] = ()
    compared: tuple[str, ...] = ()
    not_compared: tuple[NotCompared, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRun:
    """One run, as the report shows it."""

    name: str
    """through, cut, resumed or control."""
    outcome: Outcome
    how: str
    """How it ended."""
    first: int | None
    """Its first step in the count of run A; None where that is not known or it took none."""
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The whole answer: what reports are made of."""

    order: ResumeOrder
    verdict: Verdict
    exit_code: ExitCode
    summary: str
    """One sentence: where it was stopped and went on, and what was found."""
    headline: str = ""
    """What was found."""
    where: str = ""
    """Where it was stopped and went on."""
    reason: str = ""
    """Slug of why there is no verdict; else empty."""
    help: tuple[str, ...] = ()
    runs: tuple[ResumeRun, ...] = ()
    at: int | None = None
    """Steps after which run B was ended."""
    alignment: Alignment | None = None
    again: int | None = None
    """Steps that were done again."""
    files: tuple[tuple[str, int], ...] = ()
    """What run B had written when it was ended: path, bytes."""
    loads: tuple[str, ...] = ()
    found: Compared = field(default_factory=Compared)
    directory: Path = Path()
    seconds: float = 0.0
