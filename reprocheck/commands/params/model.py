"""The values of `reprocheck params`: runs → tensors by name → findings → the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reprocheck.errors import ExitCode
from reprocheck.model import Request
from reprocheck.model.initializers import Answer
from reprocheck.model.kinds import Severity

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One parameter or buffer of one run as it was before training."""

    root: str
    """The model that the target called; empty for what only an optimizer holds."""
    name: str
    """By module path, within the model."""
    kind: str
    """parameter or buffer."""
    module: str
    """The class of the module that holds it."""
    layer: str
    """The layer of torch.nn that this is or derives from; empty where it is none."""
    shape: tuple[int, ...]
    dtype: str
    device: str
    trainable: bool
    digest: str = ""
    mean: float | None = None
    """Of the finite values, as the next three."""
    std: float | None = None
    low: float | None = None
    high: float | None = None
    nan: int = 0
    inf: int = 0
    answer: Answer | None = None
    equal_units: bool = False
    """All rows or filters are equal."""
    copied: bool = False
    """It lies in a stack that PyTorch itself makes of copies of one layer."""
    loaded: bool = False
    """load_state_dict gave it its values."""
    reason: str = ""
    """Why its values are not known."""
    placements: str = ""
    """How a sharded tensor (DTensor) is laid out over ranks; `shape` is that of the whole."""
    local_shape: tuple[int, ...] = ()
    """Of the part that this rank holds, from which all figures are."""

    @property
    def count(self) -> int:
        """Elements."""
        product = 1
        for size in self.shape:
            product *= size
        return product


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What one run started from."""

    seed: int
    stage: str
    """Seen right before the first `step`, `backward`, or `forward`."""
    tensors: tuple[Tensor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One name, over all seeds."""

    name: str
    tensor: Tensor
    """In the run of the first seed that has it."""
    digests: Mapping[int, str]
    """Seed → digest; a seed that has no such tensor is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something about initial weights that their values alone make certain."""

    slug: str
    severity: Severity
    """error, warning or note."""
    message: str
    names: tuple[str, ...]
    """The tensors that it is about."""
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The answer of the command."""

    request: Request
    exit_code: ExitCode
    summary: str
    stage: str = ""
    rows: tuple[Row, ...] = ()
    remarks: tuple[Remark, ...] = ()
    notes: tuple[str, ...] = ()
    stderr_tail: str = ""
    seconds: float = 0.0
    directory: Path = field(default_factory=Path)
