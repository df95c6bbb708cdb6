"""Run the cells of a notebook in order, as a restarted kernel does that runs all. Nothing of Jupyter is needed."""

from __future__ import annotations
import __future__

import ast
import asyncio
import builtins
import inspect
import linecache
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from reprocheck.protocol.notebook.cells import Cell, read_cells, text_of
from reprocheck.protocol.notebook.magics import Refusal, translate
from reprocheck.worker.bootstrap import edits

NESTED = "NestedAudit"
"""The error of an audit that is asked for in a run."""
_FUTURES = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)


class Listener:
    """Who is told how far the notebook is."""

    def begin(self, name: str) -> None:
        """A cell begins."""

    def values(self, names: frozenset[str]) -> None:
        """A cell has ended that mentions these names."""

    def note(self, text: str) -> None:
        """Something of the notebook is not run."""


def run_notebook(path: Path, main: ModuleType, listener: Listener) -> None:
    """Raises OSError or NotebookError before anything is run, later what a cell raises."""
    name = str(path)
    cells = tuple(_with_changes(read_cells(path), edits.changed_source(path)))
    prepared = [_parsed(cell, name) for cell in cells]
    _show_source(name, cells)
    main.__dict__.update(get_ipython=_Shell, display=_display)
    builtins.__dict__.update(get_ipython=_Shell, display=_display)
    if "matplotlib_inline" in os.environ.get("MPLBACKEND", "matplotlib_inline"):
        os.environ["MPLBACKEND"] = "agg"  # a window would wait for somebody to close it, and no browser listens
    sys.displayhook = _show
    for cell in cells:
        for line, text in cell.left_out:
            listener.note(f"cell {cell.number}, line {line} is not run: `{text}`")
    flags = 0
    for cell, tree in zip(cells, prepared, strict=True):
        listener.begin(f"cell {cell.number}")
        try:
            flags = _run_cell(cell, tree, main, name, flags)
        except Exception as error:
            if type(error).__name__ != NESTED:
                raise
            listener.note(f"cell {cell.number} asks for an audit: the rest of it is not run")
        listener.values(_mentioned(tree))


def _with_changes(cells: tuple[Cell, ...], changed: bytes | None) -> Iterator[Cell]:
    lines = [] if changed is None else changed.decode("utf-8").split("\n")
    for cell in cells:
        yield cell if changed is None else replace(cell, code=tuple(lines[cell.first - 1 :][: len(cell.code)]))


def _parsed(cell: Cell, name: str) -> ast.Module:
    try:
        tree = edits.tree_of("\n".join(cell.code), name)
    except SyntaxError as error:
        error.filename, error.lineno = name, cell.first - 1 + (error.lineno or 1)
        if error.end_lineno is not None:
            error.end_lineno += cell.first - 1
        raise
    return ast.increment_lineno(tree, cell.first - 1)


def _run_cell(cell: Cell, tree: ast.Module, main: ModuleType, name: str, flags: int) -> int:
    """Returns the `__future__` features that are on from here."""
    body: list[ast.stmt] = list(tree.body)
    last = [body.pop()] if body and isinstance(body[-1], ast.Expr) and not cell.is_quiet else []
    for part, mode in ((ast.Module(body, []), "exec"), (ast.Interactive(list(last)), "single")):
        if not part.body:
            continue
        code = _compile(part, name, mode, flags)
        flags |= code.co_flags & _FUTURES
        found = eval(code, main.__dict__)
        if code.co_flags & inspect.CO_COROUTINE:
            _loop().run_until_complete(found)
    return flags


def _compile(tree: ast.AST, name: str, mode: str, flags: int) -> CodeType:
    made: Any = compile
    try:
        code: CodeType = made(tree, name, mode, flags, dont_inherit=True)
    except SyntaxError:  # perhaps an await outside of a function, which IPython runs
        code = made(tree, name, mode, flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    return code


_loops: list[asyncio.AbstractEventLoop] = []


def _loop() -> asyncio.AbstractEventLoop:
    """One for all cells: what one starts, another awaits."""
    if not _loops:
        _loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(_loops[0])
    return _loops[0]


def _mentioned(tree: ast.Module) -> frozenset[str]:
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def _show_source(name: str, cells: tuple[Cell, ...]) -> None:
    """What tracebacks, inspect and compilers read as its source."""
    text = text_of(tuple(replace(cell, code=cell.written) for cell in cells))
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)


def _show(value: Any) -> None:
    """The value of a cell, as a kernel without a browser prints it."""
    if value is None:
        return
    builtins.__dict__["_"] = value
    _display(value)


def _display(*values: Any, **options: Any) -> None:
    """In place of IPython's: prints what it would show as text."""
    for value in values:
        try:
            text = repr(value)
        except Exception as error:
            text = f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
        print(text)


class _Shell:
    """In place of IPython's shell: `get_ipython()`."""

    def run_line_magic(self, name: str, line: str = "", *rest: Any) -> None:
        """What only shows something does nothing; all else is refused."""
        self._run(f"%{name} {line}".strip())

    def magic(self, line: str) -> None:
        """The same in one text."""
        self._run(f"%{line}".strip())

    def run_cell_magic(self, name: str, line: str, cell: str) -> None:
        """Refused."""
        raise RuntimeError(f"%%{name} is not run in an audit: write it in Python")

    def system(self, command: str) -> None:
        """Shell commands are not run."""
        self._run(f"!{command}")

    getoutput = system_raw = system_piped = system

    def _run(self, text: str) -> None:
        made = translate([text])
        refusal: Refusal | None = next(iter(made.refusals), None)
        if refusal is not None or made.lines != ("pass",):
            reason = "it has no effect there" if refusal is None else refusal.reason
            raise RuntimeError(f"`{text}` is not run in an audit: {reason}; write it in Python")
