"""What an audit says: verdict, findings, metrics over seeds, comparison with a revision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reprocheck.model.baseline import BaselineAnswer
    from reprocheck.model.explanation import Explanation, Frame
from reprocheck.model.classes import Classes
from reprocheck.model.difference import Divergence, Informational, Location, NotCompared, StepGrid
from reprocheck.model.kinds import Confidence, Severity, SummaryKind
from reprocheck.model.request import Request
from reprocheck.model.run_evidence import OutOfMemory, Status
from reprocheck.model.run_spec import Edit


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
    severity: Severity
    confidence: Confidence
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
class RankSummary:
    """One rank of a run as the report shows it; digests as those of a run."""

    rank: int
    start: int
    """How many processes were this rank before."""
    local_rank: int | None
    world_size: int | None
    host: str
    init: str
    steps_digest: str
    steps: int
    closed: bool
    """Its evidence is complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One run as the report shows it. Digests are 32 hexadecimal digits, empty when not observed."""

    id: str
    repeat: int
    status: Status
    reason: str
    stderr_tail: str
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
    ranks: tuple[RankSummary, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedAudit:
    """All runs of one seed, judged."""

    seed: int
    verdict: Verdict
    reason: str
    """Why there is no verdict; else empty."""
    runs: tuple[RunSummary, ...]
    divergence: Divergence | None
    informational: tuple[Informational, ...] = ()
    notes: tuple[str, ...] = ()
    grids: tuple[StepGrid, ...] = ()
    """Of the runs whose steps differ from those of the first."""
    ranks: tuple[Divergence, ...] = ()
    """The first difference of each rank that differs. Between ranks there is no order."""


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
    """What a reader has to know of it, as text."""
    values: tuple[tuple[int, tuple[float, ...]], ...] = ()
    """Seed, and the metric in each of its runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricShift:
    """One metric in the other revision and here, and what another seed would do to it."""

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
    """Seeds whose results changed."""
    divergence: Divergence | None
    """The first difference between the revisions, of the first seed that differs."""
    shifts: tuple[MetricShift, ...]
    allowed: bool
    """--allow-different was given."""
    changes: tuple[Change, ...] = ()
    """What reads otherwise in the Python code that ran."""
    other_files: tuple[str, ...] = ()
    """Changed or new files in the repository besides that code, documents, and what the runs themselves wrote."""
    here: Frame | None = None
    """The line at which the revisions part, in the current state."""
    base: Frame | None = None
    """The line that stands for it in the other revision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryPart:
    """A clause of the summary."""

    kind: SummaryKind
    text: str


as_html: list[Callable[[Audit], str]] = []
"""How a notebook shows an audit: the API says it, which knows of reports."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Audit:
    """The whole answer: what reports are made of."""

    request: Request
    verdict: Verdict
    exit_code: int
    summary_parts: tuple[SummaryPart, ...]
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
    """Environment factors that differed between repeats."""
    not_varied: tuple[NotCompared, ...]
    """Environment factors that did not, and why."""
    manifest: Mapping[str, Any]
    started: str
    """ISO 8601, local time with offset."""
    seconds: float
    directory: Path
    """Where the evidence is."""
    self_seeding: SelfSeeding | None = None
    """None where the question does not arise: runs differ, or are made without reprocheck's seeding anyway."""
    run_again: Mapping[int, str] = field(default_factory=dict)
    """With --cached: seed → why its runs were made again."""
    missing_runs: tuple[str, ...] = ()
    """Folders of planned runs that have not ended."""
    classes: Classes | None = None
    """Where runs were made on machines of several numerical classes."""

    @property
    def summary(self) -> str:
        """One sentence."""
        return "; ".join(part.text for part in self.summary_parts)

    def __repr__(self) -> str:
        """In one line; `reprocheck.render` gives the report."""
        word = self.verdict.value.replace("_", " ").upper()
        return f"<Audit {word}: {self.summary}>"

    def _repr_html_(self) -> str | None:
        """What a notebook shows: the page of `--format html`."""
        return as_html[0](self) if as_html else None
