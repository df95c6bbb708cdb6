"""Where a command works: an evidence folder that is locked while it runs, and a temporary one. Both are cleared up in
every case; what a tool left behind that was killed, the next one clears."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from reprocheck.engine import interrupts
from reprocheck.engine.lock import Lock, is_held
from reprocheck.engine.store import AUDITS, open_audit_folder, prune
from reprocheck.errors import Interrupted, UsageError
from reprocheck.model import Request

PREFIX = "reprocheck-"
REVISION = "revision"
"""In the temporary folder: the worktree of --against."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """For one command."""

    folder: Path
    """Evidence; it stays."""
    tmp: Path


@contextmanager
def workspace(request: Request, kind: str = AUDITS) -> Iterator[Workspace]:
    """Folders for one command. An interrupt within becomes Interrupted, which says where the evidence is."""
    with ExitStack() as stack:
        with interrupts.deferred():
            clear_leftovers(request.evidence, kind)
            folder, lock = open_audit_folder(request.evidence, kind)
            stack.callback(_close, lock, request, kind, folder, os.stat(folder.parent))
            tmp = stack.enter_context(temporary_folder())
        try:
            interrupts.check()
            yield Workspace(folder, tmp)
        except UsageError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        except (Interrupted, interrupts.StopRequested, KeyboardInterrupt) as error:
            raise Interrupted("interrupted", f"the evidence so far is in {_shown(folder)}") from error


def _close(lock: Lock, request: Request, kind: str, folder: Path, place: os.stat_result) -> None:
    """`place`: where the folder was made. A target may have put a link there, to a folder of the user."""
    with interrupts.deferred(), suppress(OSError):
        lock.release()
        if os.path.samestat(os.stat(folder.parent), place):
            prune(request.evidence, request.keep, kind, spare=folder)


@contextmanager
def temporary_folder(prefix: str = PREFIX) -> Iterator[Path]:
    """A temporary folder that is gone afterwards, or, if this process is killed, when the next one starts."""
    with interrupts.deferred():
        tmp = Path(tempfile.mkdtemp(prefix=prefix))
        lock = Lock(tmp)
    try:
        yield tmp
    finally:
        with interrupts.deferred():
            shutil.rmtree(tmp, ignore_errors=True)
            lock.release()


def clear_leftovers(evidence: Path, kind: str = AUDITS) -> None:
    """Remove what tools left behind that were killed: temporary folders, worktrees, audits without an end."""
    for tmp in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if not tmp.is_symlink() and tmp.lstat().st_uid == os.getuid() and is_held(tmp) is False:
                _remove(tmp)
    for folder in _folders(evidence / kind):
        if is_held(folder) is False:
            shutil.rmtree(folder, ignore_errors=True)


def _remove(tmp: Path) -> None:
    from reprocheck.engine.revision import forget_worktrees, repositories_of

    repositories = repositories_of(tmp / REVISION)
    shutil.rmtree(tmp, ignore_errors=True)
    forget_worktrees(repositories)


def _folders(place: Path) -> list[Path]:
    try:
        return [entry for entry in place.iterdir() if entry.is_dir() and not entry.is_symlink()]
    except OSError:
        return []


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)
