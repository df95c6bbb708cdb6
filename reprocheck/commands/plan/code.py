"""The files that a plan is about: digests of code and data, taken when it is made and asked again before a run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reprocheck.engine.workdir import LEFT_OUT
from reprocheck.errors import UsageError
from reprocheck.protocol.inputs import digest_of

CODE = (".py", ".pyx", ".pxd", ".so", ".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp", ".ipynb")
"""How the names of source files end."""
MOST_FILES = 20_000
LARGEST = 64 * 2**20
"""Bytes of a file that nobody named with --data."""
MOST_BYTES = 2**30
"""Of all of those."""


@dataclass(frozen=True, slots=True)
class Files:
    """Path → digest, relative to the folder of the code."""

    code: Mapping[str, str]
    data: Mapping[str, str]
    left: int
    """Files that are too large or too many: they are not checked."""


def digest_files(folder: Path, own: Path, named: Sequence[Path]) -> Files:
    """Of a folder without `own`, and of all files below those that are `named`. Raises UsageError."""
    code: dict[str, str] = {}
    data: dict[str, str] = {}
    left, room = 0, MOST_BYTES
    for path, size in _files(folder, own):
        name = path.relative_to(folder).as_posix()
        if len(code) + len(data) >= MOST_FILES or size > LARGEST or size > room:
            left += 1
            continue
        room -= size
        digest = digest_of(str(path))
        if digest:
            (code if path.suffix in CODE else data)[name] = digest
    for place in named:
        found = _named(folder, place)
        left -= sum(1 for path in found if path not in data and path not in code)
        data.update(found)
    return Files(code, data, max(0, left))


def _named(folder: Path, name: Path) -> dict[str, str]:
    path = folder / name
    relative = Path(os.path.relpath(path, folder))
    if ".." in relative.parts:
        raise UsageError(f"--data {name} lies outside of {folder}", "plan in the folder that holds code and data")
    files = [path] if path.is_file() else [one for one, _ in _files(path, None)]
    if not files:
        raise UsageError(f"--data {name}: there is no such file or folder")
    found = {one.relative_to(folder).as_posix(): digest_of(str(one)) for one in map(Path, map(os.path.abspath, files))}
    unread = next((one for one, digest in found.items() if not digest), None)
    if unread is not None:
        raise UsageError(f"--data {name}: cannot read {unread}")
    return found


def _files(folder: Path, own: Path | None) -> Iterator[tuple[Path, int]]:
    """In the order of their names."""
    for current, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if name not in LEFT_OUT
            and not os.path.isfile(os.path.join(current, name, "pyvenv.cfg"))
            and (own is None or os.path.realpath(os.path.join(current, name)) != str(own))
        )
        for name in sorted(files):
            path = os.path.join(current, name)
            if os.path.isfile(path):
                yield Path(path), os.stat(path).st_size


def other_than_planned(folder: Path, planned: Mapping[str, str]) -> str:
    """The first file that is not as planned, and how; empty where all are."""
    for name, digest in planned.items():
        found = digest_of(str(folder / name))
        if found != digest:
            return f"{name} is not as it was when the plan was made" if found else f"{name} is missing"
    return ""


def others(folder: Path, planned: Mapping[str, str]) -> dict[str, str]:
    """Of files that are not large those that are not as planned: path → how."""
    found = {}
    for name, digest in planned.items():
        if not is_large(folder / name):
            reason = other_than_planned(folder, {name: digest})
            if reason:
                found[name] = reason
    return found


def is_large(path: Path) -> bool:
    """Whether it takes long to digest a file."""
    try:
        return path.stat().st_size > LARGEST
    except OSError:
        return False
