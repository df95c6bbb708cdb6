"""Source lines changed in memory: the file stays as it is, and so do line numbers and what inspect shows."""

from __future__ import annotations

import ast
import io
import os
import tokenize
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

from reprocheck.model import Edit
from reprocheck.model.places import place_text
from reprocheck.protocol.reading import read_source

_INTERCEPTS = "get_code_with_changes"
_edited: dict[str, bytes] = {}
"""Real path → its source with the changes."""
_rewriters: list[tuple[Callable[[str], bool], Callable[[ast.Module], ast.Module]]] = []
"""The trees of which files are changed before they are compiled, and how."""


class EditMismatch(Exception):
    """The file does not hold the line that is to be changed."""


def apply(edits: Iterable[Edit]) -> None:
    """From now on, the files compile with these lines. Raises EditMismatch."""
    by_file: dict[str, list[Edit]] = {}
    for edit in edits:
        by_file.setdefault(os.path.realpath(edit.path), []).append(edit)
    for path, changes in by_file.items():
        _edited[path] = _changed(path, changes)
    if _edited:
        _intercept_imports()


def rewrite_with(applies: Callable[[str], bool], rewritten: Callable[[ast.Module], ast.Module]) -> None:
    """From now on, the syntax trees of these files are compiled as `rewritten` gives them, with their changes."""
    _rewriters.append((applies, rewritten))
    _intercept_imports()


def code_of(path: Path, shown: str) -> CodeType:
    """The code of a file, with its changes. Raises SyntaxError, ValueError."""
    edited = _edited.get(os.path.realpath(path))
    return _compiled(path.read_bytes() if edited is None else edited, str(path), shown)


def changed_source(path: Path) -> bytes | None:
    """The source of a file with its changes; None where it has none."""
    return _edited.get(os.path.realpath(path))


def tree_of(data: bytes | str, path: str) -> ast.Module:
    """The syntax tree of a source as it is to be compiled. Raises SyntaxError, ValueError."""
    for applies, rewritten in _rewriters:
        if applies(path):
            with suppress(ValueError, TypeError, RecursionError, MemoryError):
                tree = rewritten(ast.parse(data, path))
                compile(tree, path, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
                return tree
    return ast.parse(data, path)


def _compiled(data: bytes, path: str, shown: str) -> CodeType:
    for applies, rewritten in _rewriters:
        if applies(path):
            with suppress(ValueError, TypeError, RecursionError, MemoryError):
                changed: CodeType = compile(rewritten(ast.parse(data, shown)), shown, "exec", dont_inherit=True)
                return changed
    code: CodeType = compile(data, shown, "exec", dont_inherit=True)
    return code


def _changed(path: str, edits: list[Edit]) -> bytes:
    try:
        data = read_source(path)
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        lines = data.decode(encoding).splitlines(keepends=True) if _has_plain_lines(data) else None
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise EditMismatch(f"cannot read {path} to change it: {error}") from error
    if lines is None:
        raise EditMismatch(f"{path} holds line ends that Python does not count")
    for edit in edits:
        found = lines[edit.line - 1] if 0 < edit.line <= len(lines) else ""
        line = found.rstrip("\r\n")
        if not found or line != edit.before.rstrip("\r\n"):
            place = place_text(path, edit.line)
            raise EditMismatch(f"{place} reads {line!r}, not {edit.before!r}: it was not changed")
        lines[edit.line - 1] = edit.after + found[len(line) :]
    return "".join(lines).encode(encoding)


def _has_plain_lines(data: bytes) -> bool:
    """Whether str.splitlines and Python's parser agree about the lines."""
    return not any(mark in data for mark in (b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\xc2\x85", b"\xe2\x80\xa8"))


def _intercept_imports() -> None:
    loader: Any = SourceFileLoader
    original = loader.get_code

    def get_code(self: SourceFileLoader, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        edited = _edited.get(os.path.realpath(path))
        # Past the bytecode caches: nothing is read from or written to them.
        if edited is None and not any(applies(path) for applies, _ in _rewriters):
            code: CodeType | None = original(self, fullname)
            return code
        data = self.get_data(path) if edited is None else edited
        if any(applies(path) for applies, _ in _rewriters):
            return _compiled(data, path, path)
        return self.source_to_code(data, path)

    if original.__name__ != _INTERCEPTS or getattr(original, "__module__", "") != __name__:
        get_code.__name__ = _INTERCEPTS
        loader.get_code = get_code
