"""The options of `reprocheck collect` → an audit with the exit code that they give it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reprocheck.commands.collect.judge import collect
from reprocheck.commands.run.gate import read_switches, ruled
from reprocheck.engine.progress import Progress
from reprocheck.model import Audit
from reprocheck.report.write import check_writable


def collect_runs(folder: Path, options: Mapping[str, Any], progress: Progress) -> Audit:
    """Raises UsageError."""
    check_writable(options["output"])
    return ruled(collect(folder, progress), read_switches(options))
