"""A copy of the working folder for one run, so that no run sees what another one wrote."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from reprocheck.errors import NoVerdictError
from reprocheck.model import Home
from reprocheck.protocol import EVIDENCE_FOLDER

LEFT_OUT = frozenset(
    {EVIDENCE_FOLDER, ".git", ".hg", ".venv", "venv", "node_modules", "__pycache__", ".mypy_cache", ".pytest_cache"}
)
"""Not copied: they are large, and no training reads them."""
MOST_BYTES = 4 * 2**30
MOST_FILES = 100_000


def copy_folder(source: Path, destination: Path) -> None:
    """Copy what a training may read. Raises NoVerdictError when it is too much or cannot be read."""
    try:
        reason = too_much(source)
        if reason:
            raise NoVerdictError(
                f"cannot copy {source} for a run of its own: {reason}",
                "start the audit in a smaller folder, or name the data by an absolute path outside of it",
            )
        shutil.copytree(source, destination, symlinks=True, ignore=_ignore, ignore_dangling_symlinks=True)
    except (OSError, shutil.Error) as error:
        text = getattr(error, "strerror", None) or error
        raise NoVerdictError(f"cannot copy {source} for a run of its own: {text}") from error


def make_home(home: Home) -> None:
    """A folder of links to what the user's home folder holds, without some files; nothing of the user's is changed."""
    shutil.rmtree(home.at, ignore_errors=True)
    home.at.mkdir(parents=True)
    _link_all(home.source, home.at, [path.relative_to(home.source).parts for path in home.without])


def _link_all(source: Path, at: Path, without: list[tuple[str, ...]]) -> None:
    """A folder that holds nothing but what is left out was made together with it: it is left out, too."""
    below: dict[str, list[tuple[str, ...]]] = {}
    for first, *rest in without:
        below.setdefault(first, []).append(tuple(rest))
    with os.scandir(source) as entries:
        for entry in entries:
            left = below.get(entry.name)
            if left is None:
                os.symlink(entry.path, at / entry.name)
            elif () not in left and entry.is_dir(follow_symlinks=False):
                folder = at / entry.name
                folder.mkdir()
                _link_all(Path(entry.path), folder, left)
                if not any(folder.iterdir()):
                    folder.rmdir()


def _ignore(folder: str, names: list[str]) -> set[str]:
    odd = {name for name in names if not _is_plain(os.path.join(folder, name))}
    return odd.union(LEFT_OUT.intersection(names))


def _is_plain(path: str) -> bool:
    """A file, folder or link: no socket, pipe or device."""
    return os.path.islink(path) or os.path.isfile(path) or os.path.isdir(path)


def too_much(source: Path, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES) -> str:
    """Why a folder is not to be copied; empty when it may be."""
    size = count = 0
    for one in _sizes(source):
        size, count = size + one, count + 1
        if size > most_bytes:
            return f"it holds more than {most_bytes // 2**20:,} MiB"
        if count > most_files:
            return f"it holds more than {most_files:,} files"
    return ""


def _sizes(source: Path) -> Iterator[int]:
    for folder, folders, files in os.walk(source):
        folders[:] = [name for name in folders if name not in LEFT_OUT]
        for name in files:
            try:
                yield os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue
