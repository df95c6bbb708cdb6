"""In the process of a run: import the module of a test as pytest did, and call the test."""

from __future__ import annotations

import atexit
import functools
import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

from reprocheck.worker.bootstrap.execute import TargetUnusable


def call(
    seed: int,
    *,
    file: str,
    module: str,
    function: str,
    paths: Sequence[str],
    parameters: Mapping[str, Any],
    wanted: Sequence[str],
) -> Any:
    """What the test returns, or what the training that it returns does."""
    sys.path[:0] = [entry for entry in map(os.path.abspath, paths) if entry not in sys.path]
    test = _find(_import(file, module), function)
    if test is None:
        raise TargetUnusable(f"{file}: there is no function {function}")
    made: dict[str, Any] = {}
    if "seed" in wanted:
        made["seed"] = seed
    if "tmp_path" in wanted:
        made["tmp_path"] = _temporary_folder()
    value = test(**parameters, **made)
    # A module is callable, too; it is a result.
    return value() if isinstance(value, (FunctionType, MethodType, functools.partial)) else value


def _find(module: ModuleType, function: str) -> Any:
    """A function of a module, or the method of a new object of one of its classes: `TestNet.test_trains`."""
    *classes, name = function.split(".")
    place: Any = module
    for part in classes:
        place = getattr(place, part, None)
    return getattr(place() if classes and place is not None else place, name, None)


def _temporary_folder() -> Path:
    folder, owner = tempfile.mkdtemp(prefix="pytest-"), os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # a forked child ends here, too
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return Path(folder)


def _import(file: str, name: str) -> ModuleType:
    """By the name that pytest gave it, so that relative imports hold; else from its file."""
    path = os.path.abspath(file)
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is not None and spec.origin is not None and os.path.realpath(spec.origin) == os.path.realpath(path):
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if spec is None or spec.loader is None:
        raise TargetUnusable(f"{file} cannot be imported")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
