"""The values of a ledger: what is tapped, and what was seen of it from one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from reprocheck.worker.ledger.callers import STANDARD, USER

if TYPE_CHECKING:
    from reprocheck.worker.ledger.put_back import PutBack

# NOTE: not the code of the frame: to ask for it raises an audit event, and to hash it takes longer than most calls.
Instruction = tuple[int, "int | None", int]
"""Place in the code, line, identity of the module."""


class Reach(Enum):
    """From where a call counts."""

    DIRECT = "the user's own code"
    NEAR = "user or package"
    """Not the standard library: it reads clocks and entropy for reasons of its own."""
    FAR = "anywhere"


@dataclass(slots=True, eq=False)
class Entry:
    """Uses of one source from one line."""

    kind: str
    name: str
    generator: str
    place: tuple[CodeType, int] | None
    library: str
    value: str
    step: int
    order: int
    threads: set[int]
    in_import: bool
    frozen: bool
    written: bool
    stack: list[dict[str, Any]]
    """The calls that led to it, where a seed is missing."""
    count: int = 0
    due: int = 10
    """The count at which it is written again."""
    saved: int = 0
    """The count that was written."""
    before: int = 0
    """The count when the task of a pool began that this process is at."""


@dataclass(slots=True, eq=False, kw_only=True)
class Source:
    """What a wrapper records, and what a frozen call answers."""

    kind: str
    name: str
    generator: str = ""
    reach: Reach = Reach.NEAR
    item: str = ""
    """The frozen item that it belongs to, where it is not the kind."""
    not_from: frozenset[str] = frozenset()
    """Packages whose calls do not count."""
    by_value: bool = False
    """Uses of different values are different uses."""
    by_caller: bool = False
    """Uses that were led to by different calls are different uses."""
    written: bool = True
    """False: only there to be frozen; what is above it on the stack is taken down."""
    value: Callable[[tuple[Any, ...], dict[str, Any]], str] | None = None
    constant: Callable[..., Any] | None = None
    """(entry, args, kwargs) → what a frozen call returns."""
    put_back: PutBack | None = None
    """Of a generator that a process shares: what undoes its uses."""
    known: dict[Instruction, Entry | None]
    """By calling instruction, once it is settled."""

    def reaches(self, owner: str) -> bool:
        """Whether a call from this owner's code counts."""
        if owner in self.not_from or (self.reach is Reach.DIRECT and owner != USER):
            return False
        return self.reach is not Reach.NEAR or owner != STANDARD


def instruction(frame: FrameType) -> Instruction:
    """What a frame is just doing."""
    return frame.f_lasti, frame.f_lineno, id(frame.f_globals)
