"""What the user typed → Target. Looks at files, imports nothing."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from reprocheck.errors import UsageError
from reprocheck.model import Target, TargetKind
from reprocheck.model.places import NOTEBOOK, is_notebook
from reprocheck.protocol.notebook.cells import NotebookError, check_syntax, read_cells
from reprocheck.protocol.reading import read_source

_FORMS = "write script.py:function, script.py, notebook.ipynb, package.module:function, or -m package.module"


def parse_target(
    text: str | None, module: str | None, argv: tuple[str, ...], arguments: tuple[tuple[str, Any], ...]
) -> Target:
    """Check what can be checked without running anything. Raises UsageError."""
    if module is not None:
        argv = ((text,) if text is not None else ()) + argv
        return _module_target(module, argv, arguments)
    if not text:
        raise UsageError("no target given", _FORMS)
    head, colon, function = text.rpartition(":")
    if _is_file(text):
        colon = ""
    if colon and head and all(part.isidentifier() for part in function.split(".")):
        return _function_target(text, head, function, argv, arguments)
    if colon and head and _is_file(head):
        raise UsageError(f"{text}: {function!r} is not the name of a function", _FORMS)
    if arguments:
        raise UsageError("--arg is for functions; a script takes its own arguments after --")
    path = _existing_file(text)
    _check_syntax(path, text)
    return Target(text=text, kind=TargetKind.SCRIPT, path=path, argv=argv)


def _module_target(name: str, argv: tuple[str, ...], arguments: tuple[tuple[str, Any], ...]) -> Target:
    if arguments:
        raise UsageError("--arg is for functions; a module takes its own arguments after --")
    if not _is_dotted(name):
        raise UsageError(f"-m {name}: not the name of a module", _FORMS)
    return Target(text=f"-m {name}", kind=TargetKind.MODULE, module=name, argv=argv)


def _function_target(
    text: str, head: str, function: str, argv: tuple[str, ...], arguments: tuple[tuple[str, Any], ...]
) -> Target:
    if head.endswith((".py", NOTEBOOK)) or "/" in head or _is_file(head):
        path = _existing_file(head)
        _check_syntax(path, head)
        kind = TargetKind.FILE_FUNCTION
        return Target(text=text, kind=kind, path=path, function=function, argv=argv, arguments=arguments)
    if not _is_dotted(head):
        raise UsageError(f"{head}: neither a file nor the name of a module", _FORMS)
    kind = TargetKind.MODULE_FUNCTION
    return Target(text=text, kind=kind, module=head, function=function, argv=argv, arguments=arguments)


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _existing_file(text: str) -> Path:
    path = Path(text)
    try:
        if path.is_file():
            with path.open("rb"):
                return path.absolute()
    except (OSError, ValueError) as error:
        shown = text if len(text) <= 200 else text[:200] + "..."
        raise UsageError(f"cannot read {shown}: {getattr(error, 'strerror', None) or error}") from error
    if _is_dir(path):
        raise UsageError(f"{text} is a folder", _FORMS)
    hint = _FORMS if path.suffix in (".py", NOTEBOOK) or "/" in text else f"for a module: -m {text}; else {_FORMS}"
    raise UsageError(f"there is no file {text}", hint)


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _check_syntax(path: Path, text: str) -> None:
    try:
        if is_notebook(path):
            check_syntax(read_cells(path), text)
        else:
            ast.parse(read_source(path))
    except NotebookError as error:
        raise UsageError(f"{text} cannot be run: {error}", error.help or None) from error
    except OSError as error:
        raise UsageError(f"cannot read {text}: {error.strerror or error}") from error
    except SyntaxError as error:
        raise UsageError(f"{text}:{error.lineno or 1}: syntax error: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"{text} is not Python source: {error}") from error
