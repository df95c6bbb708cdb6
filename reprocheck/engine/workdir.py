"""A copy of the working folder for one run, so that no run sees what another one wrote."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from reprocheck.errors import NoVerdictError
from reprocheck.model import Home, Known
from reprocheck.protocol import EVIDENCE_FOLDER

LEFT_OUT = frozenset(
    {
        *(EVIDENCE_FOLDER, ".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".nox"),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".ipynb_checkpoints"),
    }
)
"""Not copied, nor any folder with a `pyvenv.cfg`: they are large, and no training reads them."""
MOST_BYTES = 4 * 2**30
MOST_FILES = 100_000
COPIED_BYTES, COPIED_FILES = 256 * 2**20, 10_000
"""Of a folder of which it is known what runs touch: of a larger one the rest is linked."""
_GIT_SECONDS = 20.0
SMALL = 1 << 20
"""Bytes of a file that is copied rather than linked, among others that are."""


def copy_folder(source: Path, destination: Path, known: Known | None = None) -> None:
    """Copy what a training may read. Raises NoVerdictError when it is too much or cannot be read."""
    try:
        if known is not None:
            _link_sibling(source, destination, known)
            if too_much(source, COPIED_BYTES, COPIED_FILES):
                destination.mkdir(parents=True)
                _copy_known(source, destination, _parents(known.sources), {*known.writes, *known.sources}, known)
                _lead_into_copy(source, destination)
                return
        reason = too_much(source)
        if reason:
            raise NoVerdictError(
                f"cannot copy {source} for a run of its own: {reason}",
                "start the audit in a smaller folder, or name the data by an absolute path outside of it",
            )
        apart = frozenset() if known is None else ignored_in(source)

        def ignore(folder: str, names: list[str]) -> set[str]:
            return _ignore(folder, names) | {name for name in names if os.path.join(folder, name) in apart}

        shutil.copytree(source, destination, symlinks=True, ignore=ignore, ignore_dangling_symlinks=True)
        if known is not None:
            for path in sorted(apart):
                _link_ignored(path, destination / os.path.relpath(path, source), known)
        _lead_into_copy(source, destination)
    except (OSError, shutil.Error) as error:
        text = getattr(error, "strerror", None) or error
        raise NoVerdictError(f"cannot copy {source} for a run of its own: {text}") from error


def ignored_in(folder: Path) -> frozenset[str]:
    """Files and whole folders below this one that git ignores; none where there is no git."""
    arguments = ("ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z")
    output = _git("-C", str(folder), *arguments)
    if output is None and (folder / ".gitignore").is_file():  # no repository, and yet the rules of one
        with tempfile.TemporaryDirectory(prefix="reprocheck-") as empty:
            if _git("init", "-q", "--bare", empty) is not None:
                output = _git("-C", str(folder), f"--git-dir={empty}", f"--work-tree={folder}", *arguments)
    names = (os.fsdecode(name) for name in (output or b"").split(b"\0"))
    return frozenset(os.path.join(folder, name.rstrip("/")) for name in names if name.strip("./"))


def _git(*arguments: str) -> bytes | None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-c", f"core.hooksPath={os.devnull}", *arguments],
            capture_output=True, timeout=_GIT_SECONDS, env={**environ, "GIT_OPTIONAL_LOCKS": "0"}, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _link_ignored(path: str, place: Path, known: Known) -> None:
    """What git ignores is data or output: linked, but where runs write, so that nothing is written through a link."""
    if not place.parent.is_dir() or place.parent.is_symlink() or os.path.lexists(place) or place.name in LEFT_OUT:
        return
    real, own, files = os.path.realpath(path), _parents(known.sources), {*known.writes, *known.sources}
    if os.path.isfile(os.path.join(path, "pyvenv.cfg")):
        return
    if os.path.islink(path):
        os.symlink(real, place)
    elif os.path.isdir(path) and real in own | _parents(known.writes):
        place.mkdir()
        _copy_known(Path(path), place, own, files, known)
    elif os.path.isfile(path) and real in files:
        shutil.copy2(path, place)
    elif _is_plain(path):
        os.symlink(real, place)


def _lead_into_copy(source: Path, destination: Path) -> None:
    """Links of the user that lead into the folder itself lead into the copy: what is written there stays there."""
    real = os.path.realpath(source) + os.sep
    for folder, folders, files in os.walk(destination):
        for name in (*folders, *files):
            link = os.path.join(folder, name)
            if not os.path.islink(link):
                continue
            original = os.path.join(source, os.path.relpath(link, destination))
            target = os.path.realpath(original)
            if os.path.islink(original) and target.startswith(real):
                os.unlink(link)
                os.symlink(os.path.join(destination, target[len(real) :]), link)


def leave_out(copy: Path, names: Iterable[str]) -> None:
    """Take files out of a copy of a folder; never through a link to what lies elsewhere."""
    own = os.path.realpath(copy)
    for name in names:
        path = copy / name
        if Path(os.path.realpath(path.parent)).is_relative_to(own) and ".." not in path.parts:
            path.unlink(missing_ok=True)


def in_world(folder: Path, world: Path) -> Path:
    """Where a copy of a folder lies below `world`: as deep as the folder itself, so that `../data` leads somewhere."""
    return world.joinpath(*folder.parts[1:])


def _link_sibling(source: Path, destination: Path, known: Known) -> None:
    """What a run read next to or above its folder is linked to where the same relative path leads from the copy."""
    real = Path(os.path.realpath(source))
    world = Path(*destination.parts[: len(destination.parts) - len(source.parts) + 1])
    for path in known.reads:
        parts, own = Path(path).parts, real.parts
        common = next(
            (n for n, (a, b) in enumerate(zip(parts, own, strict=False)) if a != b), min(map(len, (parts, own)))
        )
        if common in (1, len(own), len(parts)):
            continue  # elsewhere, in the folder itself, or a folder that it lies in
        target = Path(*parts[: common + 1])
        link = in_world(target, world)
        if not os.path.lexists(link):
            link.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(target, link)


def _parents(paths: Iterable[str]) -> set[str]:
    return {str(parent) for path in paths for parent in Path(path).parents}


def _copy_known(source: Path, destination: Path, own: set[str], files: set[str], known: Known) -> None:
    """Copy what runs write and the code that they ran, and link all else: folders as a whole where runs wrote nothing.

    A script that resolves its own path must find itself in the copy.
    """
    own = own | _parents(known.writes)
    with os.scandir(source) as entries:
        for entry in entries:
            place, real = destination / entry.name, os.path.realpath(entry.path)
            if _is_left_out(entry):
                continue
            if entry.is_symlink():
                os.symlink(real, place)
            elif entry.is_dir():
                if real in own:
                    place.mkdir()
                    _copy_known(Path(entry.path), place, own, files, known)
                else:
                    os.symlink(real, place)
            elif entry.is_file():
                if real in files or entry.stat().st_size <= SMALL:
                    shutil.copy2(entry.path, place)
                else:
                    os.symlink(real, place)


def _is_left_out(entry: os.DirEntry[str]) -> bool:
    return entry.name in LEFT_OUT or (entry.is_dir() and os.path.isfile(os.path.join(entry.path, "pyvenv.cfg")))


def make_home(home: Home) -> None:
    """A folder of links to what the user's home folder holds, without some files; nothing of the user's is changed."""
    shutil.rmtree(home.at, ignore_errors=True)
    home.at.mkdir(parents=True)
    _link_all(home.source, home.at, [path.relative_to(home.source).parts for path in home.without], home.copies)


def _link_all(source: Path, at: Path, without: list[tuple[str, ...]], copies: bool) -> None:
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
                _link_all(Path(entry.path), folder, left, copies)
                if not any(folder.iterdir()):
                    folder.rmdir()
            elif copies and entry.is_file():
                shutil.copy2(entry.path, at / entry.name)


def _ignore(folder: str, names: list[str]) -> set[str]:
    odd = {name for name in names if not _is_plain(os.path.join(folder, name))}
    tools = {name for name in names if os.path.isfile(os.path.join(folder, name, "pyvenv.cfg"))}
    return odd.union(tools, LEFT_OUT.intersection(names))


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
        folders[:] = [
            name
            for name in folders
            if name not in LEFT_OUT and not os.path.isfile(os.path.join(folder, name, "pyvenv.cfg"))
        ]
        for name in files:
            try:
                yield os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue
