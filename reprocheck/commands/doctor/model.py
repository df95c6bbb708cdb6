"""The values of `reprocheck doctor`: one run → initial weights, layers, seeds, memory → findings → the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reprocheck.commands.params.model import Row
from reprocheck.errors import ExitCode
from reprocheck.model import Finding, Location, OutOfMemory, Request

Name = tuple[str, str]
"""A model, and the path of a module or parameter within it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """What one layer made of the first batch."""

    root: str
    name: str
    """Of the module; empty for the model itself."""
    module: str
    """Its class."""
    layer: str
    """The layer of torch.nn that it is or derives from; empty where it is none with weights."""
    std: float | None
    """Of all values of its output; None where it is not finite, or of a single value."""
    finite: bool
    nan: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """The first batch on its way through all models, in the order of the calls."""

    activations: tuple[Activation, ...] = ()
    gradients: Mapping[Name, float | None] = field(default_factory=dict)
    """Root mean square at the first step, by parameter; None where it is not finite."""
    followed: Mapping[Name, tuple[str, float | None]] = field(default_factory=dict)
    """Weight → the function that takes in the product with it (relu, tanh, norm, ...; empty for any other use), and its
    negative slope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """What the target did with one source of random numbers."""

    name: str
    """python, numpy, torch, cuda, or the call that made it."""
    seeded: tuple[Use, ...]
    """By the target itself, in order."""
    drawn: Use | None
    """The first draw."""
    seed_text: str
    """How that stands, as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A seeding or a draw."""

    call: str
    location: Location | None
    value: str = ""
    count: int = 1
    library: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMemory:
    """Bytes on one GPU at the end of a phase, and its peaks."""

    device: int
    allocated: int
    reserved: int
    allocated_peak: int
    reserved_peak: int
    split: int
    """In pieces of blocks that are in use elsewhere: what the allocator can neither use for a larger request nor give
    back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Memory of one phase of a run. Bytes."""

    name: str
    """init, first step, further steps or evaluation."""
    resident: int | None
    """Of the process, at its end."""
    resident_peak: int | None
    devices: tuple[DeviceMemory, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory of one run."""

    phases: tuple[Phase, ...] = ()
    resident: tuple[int | None, ...] = ()
    """Of the process after each step."""
    heap: tuple[int | None, ...] = ()
    """What the process has asked for by then, and not given back; None where the system does not say."""
    allocated: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """By GPU, after each step."""
    given_back: Mapping[int, int] = field(default_factory=dict)
    """By GPU: what torch.cuda.empty_cache() gave back at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorReport:
    """The answer of the command."""

    request: Request
    exit_code: ExitCode
    summary: str
    findings: tuple[Finding, ...] = ()
    """The worst first."""
    rows: tuple[Row, ...] = ()
    stage: str = ""
    layers: Layers = field(default_factory=Layers)
    generators: tuple[Generator, ...] = ()
    memory: Memory = field(default_factory=Memory)
    steps: int = 0
    notes: tuple[str, ...] = ()
    stderr_tail: str = ""
    out_of_memory: OutOfMemory | None = None
    seconds: float = 0.0
    directory: Path = field(default_factory=Path)


def weight_of(rows: Sequence[Row], root: str, layer: str) -> Name:
    """The weight of a layer: `weight`, or the only parameter of two dimensions or more that it holds itself."""
    prefix = f"{layer}." if layer else ""
    own = [
        row.tensor.name
        for row in rows
        if (row.tensor.root, row.tensor.kind) == (root, "parameter")
        and row.tensor.name.startswith(prefix)
        and "." not in row.tensor.name[len(prefix) :]
        and len(row.tensor.shape) >= 2
    ]
    usual = f"{prefix}weight"
    return root, own[0] if len(own) == 1 and usual not in own else usual
