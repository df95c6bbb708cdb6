"""A function of a running notebook → a target: the cells that were run so far, written down as a notebook.

Nothing is imported from IPython: where it runs, it is there already.
"""

from __future__ import annotations

import ast
import atexit
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from reprocheck.errors import UsageError
from reprocheck.model.places import NOTEBOOK, SESSION_PREFIX
from reprocheck.protocol.notebook.magics import translate

_HINT = "define it with def at the top of a cell, or give the target as text"
_folders: list[str] = []


def running_shell() -> Any:
    """IPython's shell in this process; None where there is none."""
    ask = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return None if ask is None else ask()


def is_kernel(shell: Any) -> bool:
    """It speaks to a browser, not to a terminal."""
    return shell is not None and hasattr(shell, "kernel")


def is_of_session(function: Callable[..., Any], shell: Any) -> bool:
    """Whether it was defined in a cell."""
    is_of_main = getattr(function, "__module__", None) == "__main__" and "<locals>" not in _name(function)
    return is_of_main and hasattr(shell, "history_manager")


def session_target(function: Callable[..., Any], shell: Any, frame: FrameType | None) -> str:
    """The target as text. `frame` is that of the call of the audit. Raises UsageError where the cells so far do not say
    what the function is."""
    name = _name(function)
    found: Any = shell.user_ns.get(name.partition(".")[0])
    for part in name.split(".")[1:]:
        found = getattr(found, part, None)
    if found is not function:
        raise UsageError(f"the target {name} is not what the notebook calls {name}", _HINT)
    cells = list(_cells(shell, frame))
    if not any(cell.strip() for cell in cells):
        raise UsageError("the cells that were run so far are not known", "save the notebook and audit the file")
    path = Path(_folder(), _stem(shell) + NOTEBOOK)
    path.write_text(json.dumps(_notebook(cells)), encoding="utf-8", errors="replace")
    return f"{path}:{name}"


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__qualname__", ""))


def _cells(shell: Any, frame: FrameType | None) -> Iterator[str]:
    """What was run so far: cells as they were typed, of the current one what stands before the call."""
    typed = [str(cell) for cell in shell.history_manager.input_hist_raw[1:]]
    line = _line_of_call(shell, frame)
    if line is None or not typed:
        yield from typed
        return
    *before, current = typed
    yield from before
    if current.lstrip().startswith("%%"):
        raise UsageError("an audit cannot be asked for in a cell with a cell magic", "ask for it in a cell of its own")
    yield _before(current, line)


def _line_of_call(shell: Any, frame: FrameType | None) -> int | None:
    """The line of the current cell that is being run."""
    found = None
    while frame is not None:
        if frame.f_globals is shell.user_ns and frame.f_code.co_name.startswith(("<module>", "<cell line")):
            found = frame.f_lineno
        frame = frame.f_back
    return found


def _before(cell: str, line: int) -> str:
    """The statements that end before a line."""
    lines = cell.split("\n")
    try:
        tree = ast.parse("\n".join(translate(lines).lines))
    except (SyntaxError, ValueError):
        return "\n".join(lines[: line - 1])
    last = max((node.end_lineno or 0 for node in tree.body if (node.end_lineno or 0) < line), default=0)
    return "\n".join(lines[:last])


def _notebook(cells: list[str]) -> dict[str, Any]:
    plain: list[dict[str, Any]] = [
        # An empty one would not be counted: the number of a cell is that of its prompt.
        {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": cell.strip("\n") or "#"}
        for cell in cells
    ]
    return {"cells": plain, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def _folder() -> str:
    if not _folders:
        _folders.append(tempfile.mkdtemp(prefix=SESSION_PREFIX))
        atexit.register(_remove, os.getpid())
    return _folders[0]


def _remove(pid: int) -> None:
    if os.getpid() == pid:
        shutil.rmtree(_folders[0], ignore_errors=True)


def _stem(shell: Any) -> str:
    """The name of the notebook, as far as its server says it."""
    known = os.environ.get("JPY_SESSION_NAME") or shell.user_ns.get("__vsc_ipynb_file__") or ""
    stem = Path(str(known)).name.removesuffix(NOTEBOOK)
    return stem if stem and len(stem) < 100 and "\0" not in stem else "notebook"
