"""The evidence folder: `.reprocheck/audits/<audit>/<run>/`, ignored by git, the newest audits kept."""

from __future__ import annotations

import errno
import itertools
import os
import re
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from reprocheck.engine.lock import Lock, is_held
from reprocheck.errors import UsageError
from reprocheck.protocol.reading import write_new
from reprocheck.protocol.secrets import make_key

AUDITS = "audits"
_LATEST = re.compile(r"latest(?:~([0-9]{1,6}))?")
FRESH = ".new-"
"""How the name of a folder starts that has no lock yet."""
_NAME = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]+(-[0-9]+)?")
"""Of the folder of an audit."""
REPORT_FILE = "audit.json"
"""The JSON report, in the folder of every finished audit."""


def create_audit_folder(evidence: Path, kind: str = AUDITS) -> Path:
    """A new, empty folder for one audit, or for what `kind` names. Raises UsageError when it cannot be made."""
    folder, lock = open_audit_folder(evidence, kind)
    lock.release()
    return folder


def open_audit_folder(evidence: Path, kind: str = AUDITS) -> tuple[Path, Lock]:
    """The same, held: no other process removes it before the lock is released."""
    try:
        audits = (evidence / kind).absolute()
        audits.mkdir(parents=True, exist_ok=True)
        ignore = evidence / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        make_key(evidence)
        fresh = Path(tempfile.mkdtemp(prefix=f"{FRESH}{os.getpid()}-", dir=audits))
        lock = Lock(fresh)
        return _give_name(lock, audits / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"), lock
    except OSError as error:
        raise UsageError(
            f"cannot keep evidence in {evidence}: {error.strerror or error}",
            "choose another folder with --evidence DIR",
        ) from error


def keep_report(folder: Path, text: str) -> None:
    """Leave the report next to the evidence. A full disk costs the comparison with later audits, not this one."""
    with suppress(OSError):
        write_new(folder / REPORT_FILE, text.encode())


def find_audit(word: str, evidence: Path, hint: str) -> Path:
    """What a word names: `latest`, `latest~1`, an audit by its name, or any path. Raises UsageError with this hint."""
    audits = evidence / AUDITS
    latest = _LATEST.fullmatch(word)
    if latest:
        folders = kept_audits(audits)
        back = int(latest[1] or 0)
        if back >= len(folders):
            held = "no audit" if not folders else f"{len(folders)} audit{'s' if len(folders) > 1 else ''}"
            raise UsageError(f"there is no {word}: {audits} holds {held}", "--evidence DIR names another folder")
        return folders[-1 - back]
    try:
        if os.path.lexists(word):
            return Path(word)
        if word and os.sep not in word and os.path.isdir(audits / word):
            return audits / word
    except ValueError:  # a zero byte
        pass
    raise UsageError(f"there is no audit or file {word}", hint)


def kept_audits(folder: Path) -> list[Path]:
    """Finished audits in a folder, the oldest first."""
    try:
        found = [entry for entry in folder.iterdir() if entry.is_dir() and (entry / REPORT_FILE).exists()]
    except OSError:
        return []
    return sorted(found, key=lambda entry: ((entry / REPORT_FILE).stat().st_mtime_ns, entry.name))


def _give_name(lock: Lock, folder: Path) -> Path:
    """This name, or one with a number behind it: one process may start several audits within a second."""
    for number in itertools.count(1):
        name = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        if not os.path.lexists(name):  # an empty folder would be replaced
            try:
                lock.move(name)
                return name
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
    raise AssertionError


def prune(evidence: Path, keep: int, kind: str = AUDITS, spare: Path | None = None) -> None:
    """Remove all but the newest `keep` audits. Those under way are not counted, nor removed, nor is `spare`, nor what
    has not the name of an audit: somebody put it there."""
    try:
        entries = sorted((evidence / kind).iterdir())
    except OSError:
        return
    ended = [
        entry
        for entry in entries
        if _NAME.fullmatch(entry.name) and entry.is_dir() and not entry.is_symlink() and not is_held(entry)
    ]
    for folder in ended[:-keep]:
        if spare is None or folder.name != spare.name:
            shutil.rmtree(folder, ignore_errors=True)
