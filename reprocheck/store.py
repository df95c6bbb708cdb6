"""The evidence folder: `.reprocheck/audits/<audit>/<run>/`, ignored by git, the newest audits kept."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from reprocheck.errors import UsageError

AUDITS = "audits"
REPORT_FILE = "audit.json"
"""The JSON report, in the folder of every finished audit."""


def create_audit_folder(evidence: Path, kind: str = AUDITS) -> Path:
    """A new, empty folder for one audit, or for what `kind` names. Raises UsageError when it cannot be made."""
    try:
        audits = evidence / kind
        audits.mkdir(parents=True, exist_ok=True)
        ignore = evidence / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        folder = _make_folder(audits / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}")
    except OSError as error:
        raise UsageError(
            f"cannot keep evidence in {evidence}: {error.strerror or error}",
            "choose another folder with --evidence DIR",
        ) from error
    return folder.absolute()


def keep_report(folder: Path, text: str) -> None:
    """Leave the report beside the evidence. A full disk costs the comparison with later audits, not this one."""
    with suppress(OSError):
        (folder / REPORT_FILE).write_text(text, encoding="utf-8")


def _make_folder(folder: Path) -> Path:
    """This folder, or one with a number behind it: one process may start several audits within a second."""
    for number in itertools.count(1):
        try:
            made = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
            made.mkdir()
            return made
        except FileExistsError:
            continue
    raise AssertionError


def prune(evidence: Path, keep: int, kind: str = AUDITS) -> None:
    """Remove all but the newest `keep` audits."""
    try:
        audits = sorted(entry for entry in (evidence / kind).iterdir() if entry.is_dir() and not entry.is_symlink())
    except OSError:
        return
    for folder in audits[:-keep]:
        shutil.rmtree(folder, ignore_errors=True)
