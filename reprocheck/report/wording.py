"""Paths, numbers, names and digests as the reports write them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from reprocheck.engine.console import clip
from reprocheck.model import Outcome, Status, Target
from reprocheck.model.places import is_session

PREFIX = 8
_DIGEST = re.compile(r"[0-9a-f]{32}")


def shown_path(path: str | Path) -> str:
    """Relative to the current directory when below it."""
    text = str(path)
    if not os.path.isabs(text):
        return text
    try:
        relative = os.path.relpath(text)
    except (OSError, ValueError):  # no current directory, or another drive
        return text
    return text if relative == ".." or relative.startswith(".." + os.sep) else relative


def shown_target(target: Target) -> str:
    """As the user wrote it, with a path relative to the current directory when below it."""
    if target.path is not None and is_session(target.path):
        return target.path.name + (f":{target.function}" if target.function else "")
    if target.path is None or not os.path.isabs(target.text):
        return target.text
    return shown_path(target.path) + (f":{target.function}" if target.function else "")


def flat_memory(memory: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"cuda": {"0": {"allocated_peak": 1}}}` → `{"cuda.0.allocated_peak": 1}`, without what is missing."""
    flat: dict[str, Any] = {}
    for key, value in memory.items():
        if isinstance(value, Mapping):
            flat |= flat_memory(value, f"{prefix}{key}.")
        elif isinstance(value, (list, tuple)):
            flat |= flat_memory({str(place): item for place, item in enumerate(value)}, f"{prefix}{key}.")
        elif value is not None:
            flat[f"{prefix}{key}"] = value
    return flat


def count(number: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def first_of(names: Sequence[str], limit: int) -> str:
    """The first few, and how many more."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def duration(seconds: float) -> str:
    """A time as a person reads it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def size(number: float) -> str:
    """Bytes as a person reads them."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            return f"{number:.0f} {unit}" if number >= 100 or unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    raise AssertionError


def percent(part: int, whole: int) -> str:
    """Never 0 % of something, never 100 % of less than all."""
    share = 100 * part / whole if whole else 0.0
    if part == whole:
        return "100 %"
    return "<0.1 %" if share < 0.1 else f"{min(share, 99.9):.1f} %"


def is_digest(text: str) -> bool:
    """Whether it is a digest rather than a value as text."""
    return _DIGEST.fullmatch(text) is not None


def prefix_length(digests: Iterable[str]) -> int:
    """The fewest digits, at least PREFIX, with which different digests look different."""
    different = sorted({one for one in digests if is_digest(one)})
    longest = PREFIX - 1
    for one, other in pairwise(different):  # neighbours share the longest prefixes
        same = next(place for place in range(len(one)) if one[place] != other[place])
        longest = max(longest, same)
    return longest + 1


def short(digest: str, length: int) -> str:
    """A digest's prefix; any other text whole; a dash for nothing."""
    if not digest:
        return "-"
    return digest[:length] if is_digest(digest) else clip(digest)


def ending_of(outcome: Outcome) -> str:
    """How a run that did not complete ended, as a verb and why."""
    return f"failed: {outcome.reason}" if outcome.status is Status.FAILED else outcome.reason or outcome.status.value
