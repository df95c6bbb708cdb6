"""Launch runs without the command, from templates of the session's server where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reprocheck.engine.launch import launch
from reprocheck.engine.progress import SilentProgress
from reprocheck.engine.templates import Templates
from reprocheck.model import Isolation, Outcome, RunSpec

_templates: dict[Path, Templates] = {}
"""Of each folder, so of each test: none of its runs come from the same process."""


def launched(specs: Sequence[RunSpec], folder: Path) -> list[Outcome]:
    """One after the other."""
    templates = _templates.setdefault(folder, Templates(Isolation.TEMPLATE))
    return [outcome for spec in specs for outcome in launch([spec], 1, SilentProgress(), templates=templates)]
