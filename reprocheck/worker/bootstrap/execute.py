"""Run the target as Python itself would, and say how it ended."""

from __future__ import annotations

import builtins
import copy
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from reprocheck.model import RunSpec, TargetKind
from reprocheck.model.places import is_notebook
from reprocheck.protocol.notebook.cells import NotebookError
from reprocheck.worker import AT_START
from reprocheck.worker.bootstrap import edits
from reprocheck.worker.bootstrap.leaving import command_line, show_command_line
from reprocheck.worker.parts.notebook import Listener, run_notebook


class TargetUnusable(Exception):
    """The target as named cannot be run at all: a usage error of whoever named it."""


def execute(spec: RunSpec, again: Callable[[bool], None], listener: Listener) -> tuple[bool, Any]:
    """Run it; whether it returned a value (functions do, scripts do not), and the value.

    `again` is called between calls of one function, where several are asked for: with True before the last. `listener`
    is told of the cells of a notebook.
    """
    target = spec.target
    calls = spec.interventions.calls
    is_cells = target.path is not None and is_notebook(target.path)
    if target.kind in (TargetKind.SCRIPT, TargetKind.MODULE):
        if calls > 1:
            raise TargetUnusable(f"{target.text}: only a function can be called {calls} times in one process")
        show_command_line(spec)
        argv = command_line(spec)[1 if target.kind is TargetKind.SCRIPT else 2 :]
        if is_cells:
            sys.argv = [target.text, *argv]
            _run_cells(target.path, listener)
            return False, None
        _run_main(*(_script(spec) if target.kind is TargetKind.SCRIPT else _module(str(target.module))), argv)
        return False, None
    sys.argv = [str(target.path or target.module), *command_line(spec)[1:]]
    function = _find_function(spec, listener)
    arguments = dict(target.arguments)
    _check_arguments(function, arguments, spec)
    for left in range(calls - 1, 0, -1):
        function(**copy.deepcopy(arguments))
        again(left == 1)
    return True, function(**arguments)


def _run_main(code: CodeType, main: ModuleType, path0: str, argv0: str, argv: list[str]) -> None:
    sys.argv = [argv0, *argv]
    _lead_path(path0)
    if sys.version_info < (3, 14):
        main.__dict__.setdefault("__annotations__", {})
    sys.modules["__main__"] = main
    exec(code, main.__dict__)


def _lead_path(folder: str) -> None:
    """Put a folder first on the path. What we alone have imported gives way to a module of that name in it."""
    sys.path.insert(0, folder)
    ours = {name.partition(".")[0] for name in set(sys.modules) - AT_START} - AT_START - {"reprocheck"}
    for top in ours:
        if any(os.path.isfile(os.path.join(folder, top + end)) for end in (".py", f"{os.sep}__init__.py")):
            for name in [name for name in sys.modules if name == top or name.startswith(f"{top}.")]:
                del sys.modules[name]


def _script(spec: RunSpec) -> tuple[CodeType, ModuleType, str, str]:
    path = spec.target.path
    assert path is not None
    shown = spec.target.text  # sys.argv[0] is as it was typed; __file__ is absolute, but no link is followed
    main = ModuleType("__main__")
    main.__dict__.update(__file__=str(path), __builtins__=builtins, __cached__=None, __spec__=None)
    main.__loader__ = importlib.machinery.SourceFileLoader("__main__", str(path))
    return _compile(path, str(path)), main, os.path.dirname(os.path.realpath(path)), shown


def _compile(path: Path, shown: str) -> CodeType:
    try:
        return edits.code_of(path, shown)
    except (SyntaxError, ValueError) as error:
        raise TargetUnusable(f"{shown} cannot be compiled: {_one_line(error)}") from error


def _module(name: str) -> tuple[CodeType, ModuleType, str, str]:
    sys.path.insert(0, os.getcwd())
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            name += ".__main__"
            spec = importlib.util.find_spec(name)
    except (ImportError, ValueError) as error:
        raise TargetUnusable(f"-m {name}: {_one_line(error)}") from error
    finally:
        sys.path.pop(0)
    if spec is None or spec.loader is None or spec.origin is None:
        raise TargetUnusable(f"-m {name}: no module of that name in {os.getcwd()} or the environment")
    loader: Any = spec.loader
    try:
        code = loader.get_code(name)
    except SyntaxError as error:
        raise TargetUnusable(f"-m {name} cannot be compiled: {_one_line(error)}") from error
    main = ModuleType("__main__")
    main.__dict__.update(
        __file__=spec.origin,
        __builtins__=builtins,
        __cached__=spec.cached,
        __loader__=spec.loader,
        __package__=spec.parent,
        __spec__=spec,
    )
    return code, main, os.getcwd(), spec.origin


def _run_cells(path: Any, listener: Listener) -> ModuleType:
    """All cells, in a main module that is no file, as it is in a kernel."""
    main = ModuleType("__main__")
    main.__dict__.update(__builtins__=builtins)
    _lead_path(os.getcwd())
    _lead_path(os.path.dirname(os.path.realpath(path)))
    if sys.version_info < (3, 14):
        main.__dict__.setdefault("__annotations__", {})
    sys.modules["__main__"] = main
    try:
        run_notebook(path, main, listener)
    except NotebookError as error:
        raise TargetUnusable(f"{path} cannot be run: {error}") from error
    return main


def _find_function(spec: RunSpec, listener: Listener) -> Callable[..., Any]:
    # Children that are spawned must not take our entry for the target's main module.
    sys.modules["__main__"] = ModuleType("__main__")
    target = spec.target
    if target.path is not None and is_notebook(target.path):
        module = _run_cells(target.path, listener)
        listener.begin(f"the call of {target.function}")
    elif target.kind is TargetKind.FILE_FUNCTION:
        assert target.path is not None
        _lead_path(os.path.dirname(os.path.realpath(target.path)))
        module = _import_file(target.path)
    else:
        _lead_path(os.getcwd())
        module = _import_module(str(target.module))
    value: Any = module
    for part in str(target.function).split("."):
        if not hasattr(value, part):
            raise TargetUnusable(_no_such_function(target.text, part, value))
        value = getattr(value, part)
    if not callable(value):
        raise TargetUnusable(f"{target.text}: {target.function} is of type {type(value).__name__}, not a function")
    found: Callable[..., Any] = value
    return found


def _no_such_function(text: str, part: str, module: Any) -> str:
    import difflib

    names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
    near = difflib.get_close_matches(part, names, 1)
    return f"{text}: there is no function {part}" + (f"; did you mean {near[0]}?" if near else "")


def _import_file(path: Path) -> ModuleType:
    name = path.stem
    if "." in name or name in sys.modules or name in sys.builtin_module_names:  # else a child can import it, too
        name = "target_" + "".join(c if c.isalnum() else "_" for c in name)
    _compile(path, str(path))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:  # a file without the .py ending
        loader = importlib.machinery.SourceFileLoader(name, str(path))
        spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _import_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise TargetUnusable(f"{name}: no module of that name in {os.getcwd()} or the environment") from error
        raise
    except SyntaxError as error:
        raise TargetUnusable(f"{name} cannot be compiled: {_one_line(error)}") from error


def _check_arguments(function: Callable[..., Any], arguments: dict[str, Any], spec: RunSpec) -> None:
    """Add `seed` where it is taken; refuse a call that Python would refuse."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    parameters = signature.parameters
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    if "seed" not in arguments and "seed" in parameters and parameters["seed"].kind in kinds:
        arguments["seed"] = spec.seed
    try:
        signature.bind(**arguments)
    except TypeError as error:
        given = ", ".join(sorted(arguments)) or "no arguments"
        raise TargetUnusable(
            f"{spec.target.text}: {spec.target.function}{signature} cannot be called with {given}: {error}"
        ) from error


def _one_line(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.filename or 'source'}:{error.lineno or 1}: {type(error).__name__}: {error.msg}"
    return f"{type(error).__name__}: {error}"
