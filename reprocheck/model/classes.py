"""Runs of several numerical classes, beside the verdict on each. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassOfRuns:
    """Runs that were made on machines of one numerical class."""

    name: str
    """A, B, C, ..."""
    text: str
    """What distinguishes the class."""
    runs: tuple[str, ...]
    hosts: tuple[str, ...]
    alike: str
    """The first class whose runs are bit for bit as those of this one; its own name where there is none before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassDifference:
    """Where two classes differ first, or why that is not known."""

    classes: tuple[str, str]
    facts: tuple[str, ...]
    """In what their machines differ, as `name: a, b`."""
    first: str
    """Empty where they agree."""
    reason: str = ""
    """Why they were not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """Runs of several numerical classes: each is judged by itself. That classes differ is no fault of the training."""

    summary: str
    classes: tuple[ClassOfRuns, ...]
    differences: tuple[ClassDifference, ...] = ()
