"""Changed lines → changed files → a patch. Writes only what it has read and checked."""

from __future__ import annotations

import difflib
import os
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from reprocheck.commands.fix.model import FileChange
from reprocheck.engine.revision import find_top
from reprocheck.errors import NoVerdictError, UsageError
from reprocheck.model import Edit
from reprocheck.model.places import is_notebook, is_session, place_text
from reprocheck.protocol.notebook.cells import MOST_BYTES as MOST_NOTEBOOK
from reprocheck.protocol.notebook.cells import NotebookError, with_lines
from reprocheck.protocol.reading import read_source, read_whole


def changes_of(edits: Sequence[Edit], cwd: Path) -> tuple[FileChange, ...]:
    """The files with the edits in them. Raises UsageError where a file is not what the audit saw, or not the user's."""
    by_file: dict[Path, list[Edit]] = {}
    for edit in edits:
        if is_session(edit.path):
            raise UsageError("the cells are those of a running notebook: they are not changed", "change the cell there")
        by_file.setdefault(_own(edit.path, cwd), []).append(edit)
    return tuple(_changed(path, own) for path, own in sorted(by_file.items()))


def patch_of(changes: Sequence[FileChange], cwd: Path) -> str:
    """As `git apply` takes it in `cwd`."""
    parts = []
    for change in changes:
        name = Path(os.path.relpath(change.path, cwd)).as_posix()
        lines = difflib.unified_diff(
            change.before.splitlines(keepends=True),
            change.after.splitlines(keepends=True),
            f"a/{name}",
            f"b/{name}",
        )
        parts += [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines]
    return "".join(parts)


def write(changes: Sequence[FileChange]) -> None:
    """Replace each file at once, with its mode. Raises UsageError; files written before are as they were, then."""
    done: list[FileChange] = []
    try:
        for change in changes:
            _replace(change.path, change.after)
            done.append(change)
    except OSError as error:
        take_back(done)
        raise UsageError(f"cannot write {change.path}: {error.strerror or error}") from error


def take_back(changes: Sequence[FileChange]) -> None:
    """The files as they were."""
    for change in changes:
        _replace(change.path, change.before)


def _own(path: str, cwd: Path) -> Path:
    """A file of the user's project: below the current folder or its checkout, and no link."""
    real = Path(os.path.realpath(cwd / path))
    roots = [Path(os.path.realpath(cwd))]
    with suppress(UsageError, NoVerdictError):  # in no checkout
        roots.append(find_top(cwd))
    if not any(real.is_relative_to(root) for root in roots):
        raise UsageError(f"{path} lies outside of this project: it is not changed", "change the line yourself")
    return real


def _changed(path: Path, edits: Sequence[Edit]) -> FileChange:
    try:
        data = read_whole(path, MOST_NOTEBOOK, follow=True) if is_notebook(path) else read_source(path)
        before = data.decode("utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: it is not changed", "change the line yourself") from error
    if is_notebook(path):
        return FileChange(path=path, before=before, after=_in_cells(path, before, edits))
    lines = before.split("\n")
    for edit in edits:
        if any(mark in edit.after for mark in "\r\n\0"):
            place = place_text(path, edit.line)
            raise UsageError(f"the change of {place} is more than a line: the report was changed")
        end = "\r" if 0 < edit.line <= len(lines) and lines[edit.line - 1].endswith("\r") else ""
        if not 0 < edit.line <= len(lines) or lines[edit.line - 1] != edit.before + end:
            raise UsageError(
                f"{path}:{edit.line} is not the line that the audit saw: the file was changed since",
                "audit again first",
            )
        lines[edit.line - 1] = edit.after + end
    return FileChange(path=path, before=before, after="\n".join(lines))


def _in_cells(path: Path, before: str, edits: Sequence[Edit]) -> str:
    """A notebook with the edits in the source of its cells, all else as it was."""
    if any(mark in edit.after for edit in edits for mark in "\r\n\0"):
        raise UsageError(f"a change of {path} is more than a line: the report was changed")
    try:
        return with_lines(before, {edit.line: (edit.before, edit.after) for edit in edits}, str(path))
    except NotebookError as error:
        raise UsageError(f"{error}: the file was changed since", "audit again first") from error


def _replace(path: Path, content: str) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode("utf-8"))
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
