"""The values of a comparison of checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reprocheck.errors import ExitCode
from reprocheck.model.values import ValueDifference


class Unreadable(Exception):
    """No checkpoint that can be read without executing anything, or a damaged one; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One tensor of a checkpoint, not read yet."""

    name: str
    dtype: str
    """PyTorch's name, as float32."""
    shape: tuple[int, ...]
    elements: Callable[[], memoryview]
    """In C order. May raise anything where the file is damaged."""

    def read(self) -> memoryview:
        """Its elements in C order. Raises Unreadable."""
        try:
            return self.elements()
        except Unreadable:
            raise
        except Exception as error:
            raise Unreadable(f"it is damaged: {type(error).__name__}: {str(error)[:200]}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One file, or all files of a folder."""

    name: str
    """As the user named it."""
    kind: str
    """pytorch, safetensors, numpy, distributed, or folder for one with several kinds."""
    tensors: Mapping[str, Tensor]
    values: Mapping[str, str]
    """Other leaves by name, as text: numbers, strings, None."""
    unread: tuple[str, ...] = ()
    """What was not looked into, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One tensor or value that differs, or that one side alone has."""

    name: str
    a: str
    """Dtype and shape, or the value as text; empty where A has none."""
    b: str
    values: ValueDifference | None = None
    reason: str = ""
    """Why values were not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointDiff:
    """The whole answer: what reports are made of."""

    a: Checkpoint
    b: Checkpoint
    exit_code: ExitCode
    summary: str
    same: int
    """Tensors with equal values."""
    differences: tuple[Difference, ...] = ()
    layout: tuple[str, ...] = ()
    """What is arranged in another way though the values are the same."""
