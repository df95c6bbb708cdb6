"""Where two runs differ, and what was not compared."""

from __future__ import annotations

from dataclasses import dataclass, field

from reprocheck.model.kinds import Stage
from reprocheck.model.places import place_text
from reprocheck.model.values import ValueDifference


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place in the user's code."""

    path: str
    line: int
    """Of a notebook: over all cells (model.places)."""
    columns: tuple[int, int] | None = field(default=None, compare=False)
    """The expression: its first character, and the one after its last, in the line without its indentation."""

    def __str__(self) -> str:
        return place_text(self.path, self.line)


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

    stage: Stage
    step: int | None
    """0-based optimizer step, for data, step and checkpoint."""
    kind: str
    """What differs: parameters, buffers, batch, loss, gradients, output, ..."""
    names: tuple[str, ...]
    tensors: tuple[TensorDifference, ...]
    runs: tuple[str, str]
    note: str = ""
    """One sentence that a reader needs with it."""
    op: str | None = None
    location: Location | None = None
    part: str = ""
    """The named part of the run that it is in: `cell 7`, `epoch 3`. Empty where there are none, or it is not known."""
    rank: int | None = None
    """The rank of a distributed training that it was seen in; None: the process of the run."""


EQUAL, DIFFERENT, NOT_COMPARED, NOTHING = "=!?."
"""Of one cell of a StepGrid. NOTHING: neither run showed anything of that kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepGrid:
    """Every step of two runs, kind by kind. To be looked at: digests that differ are no verdict by themselves."""

    runs: tuple[str, str]
    steps: int
    width: int
    """Steps of one cell."""
    rows: tuple[tuple[str, str], ...]
    """Kind → its cells, a character each. Kinds of which nothing was seen are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCompared:
    """An observation that could not be compared, and why. Never counts as same."""

    what: str
    reason: str
    is_result: bool = False
    """A user would call it the result of the training, or a part of it: the first line of a report says so."""
    help: str = ""
    """What to do, so that it is compared."""
    kind: str = ""
    """Of things that are counted (child processes by what they did): the same kind in several runs is reported once."""
    count: int = 0
    """How many of that kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Informational:
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
    informational: tuple[Informational, ...]
    notes: tuple[str, ...] = ()
    grid: StepGrid | None = None
    """Where their steps differ."""
    ranks: tuple[Divergence, ...] = ()
    """The first difference of each rank that differs. Between ranks there is no order."""
