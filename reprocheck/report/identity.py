"""What makes a finding the same finding in another report: its code, its file, the text of its source line and its
operation, tensors or cause. Never the number of the line, which any edit above it changes.

In comes a JSON report: the one being made, or an earlier one from a file, of which nothing is believed.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIFFERENCES = "RC3"
"""The family of codes that say that something differs; all others say why, or what else was seen."""
_MOVES = ("RC310", "RC311")
"""Numbers that moved since a revision or a baseline: both sides reproduce, so that how far is part of what it is."""


class NotAReport(ValueError):
    """Something in a report is not what its contract says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """The identities in one report."""

    findings: tuple[str, ...]
    """One for each finding, in its order; equal findings are distinguished by their count."""
    differences: Mapping[int, str]
    """Seed → its first difference, without the line that only an explanation knows."""


def identify(report: Mapping[str, Any]) -> Identities:
    """The identities in a JSON report. Raises NotAReport."""
    met: Counter[str] = Counter()
    findings = []
    for item in _list(report.get("findings")):
        identity = _finding(_mapping(item), report)
        met[identity] += 1
        findings.append(f"{identity}:{met[identity]}")
    differences = {}
    for item in _list(report.get("seeds")):
        seed = _mapping(item)
        if seed.get("divergence") is not None:
            divergence = _mapping(seed["divergence"])
            parts = (_target(report), _text(divergence.get("stage")), _tensors(divergence))
            differences[_integer(seed.get("seed"))] = _digest(*parts)
    return Identities(findings=tuple(findings), differences=differences)


def repository_path(path: str) -> str:
    """Relative to the repository that the audit was started in, with slashes; elsewhere absolute."""
    try:
        here = os.getcwd()
    except OSError:  # the folder is gone
        return path
    root = next((folder for folder in (here, *map(str, Path(here).parents)) if _is_repository(folder)), here)
    absolute = os.path.abspath(path)
    try:
        pairs = [(root, absolute), (os.path.realpath(root), os.path.realpath(absolute))]
    except (OSError, ValueError):  # no path that could be a file's: a target may say what it likes
        pairs = [(root, absolute)]
    for base, name in pairs:
        if name.startswith(base.rstrip(os.sep) + os.sep):
            return Path(os.path.relpath(name, base)).as_posix()
    return Path(absolute).as_posix()


def has_first_difference(code: str) -> bool:
    """Whether a finding of this code describes the audit's first difference, and so stands at its place."""
    return code.startswith("RC30") or code == "RC310"


def _is_repository(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, ".git"))  # a file in a worktree


def _finding(item: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    code, thing = _text(item.get("code")), _text(item.get("cause"))
    location, source = _optional(item.get("location")), _text(item.get("source"))
    divergence = _optional(report.get("divergence"))
    if has_first_difference(code) and divergence is not None:
        location = location or _optional(divergence.get("location"))
        source = source or _source_at(location, report)
        op = divergence.get("op")
        thing = _tensors(divergence) if op is None else _text(op)
    if code in _MOVES:
        thing = "\n".join([thing, *(_text(line) for line in _list(item.get("evidence")))])
    path = _target(report) if location is None else repository_path(_text(location.get("path")))
    return _digest(code, path, " ".join(source.split()), thing)


def _source_at(location: Mapping[str, Any] | None, report: Mapping[str, Any]) -> str:
    """The text of a source line, from whatever else in the report shows it."""
    if location is None:
        return ""
    found = [_mapping(item) for item in _list(report.get("findings"))]
    shown = [(item.get("location"), _text(item.get("source"))) for item in found]
    origin = _optional((_optional(report.get("explanation")) or {}).get("origin"))
    if origin is not None:
        frames = [_mapping(frame) for frame in _list(_mapping(origin.get("call")).get("frames"))]
        shown += [(frame.get("location"), _text(frame.get("code"))) for frame in frames]
    return next((text for place, text in shown if place == location and text), "")


def _tensors(divergence: Mapping[str, Any]) -> str:
    names = sorted(_text(name) for name in _list(divergence.get("names")))
    return "\n".join([_text(divergence.get("kind")), *names])


def _target(report: Mapping[str, Any]) -> str:
    return _text(_mapping(report.get("target")).get("text"))


def _digest(*parts: str) -> str:
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:32]


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise NotAReport("an object is missing")
    return value


def _optional(value: Any) -> Mapping[str, Any] | None:
    return None if value is None else _mapping(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise NotAReport("a list is missing")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise NotAReport("a text is missing")
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise NotAReport("a number is missing")
    return value
