"""What the worker needs after the target has begun, out of the target's reach: it may replace anything in `builtins`,
`json`, `os`, `time` and `sys.modules`, and an error that this brings about in our own code would be taken for one of
the training.

A function looks up builtins in the namespace of its module, so every module of ours gets builtins of its own.
"""

from __future__ import annotations

import builtins
import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

BUILTINS: dict[str, Any] = dict(vars(builtins))
globals()["__builtins__"] = BUILTINS  # of the functions below
_OURS = "reprocheck."


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = BUILTINS
        super().exec_module(module)


class _Finder:
    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """As meta path finders do."""
        if not name.startswith(_OURS):
            return None
        found = PathFinder.find_spec(name, path)
        if found is not None and type(found.loader) is SourceFileLoader:
            found.loader = _Loader(found.loader.name, found.loader.path)
        return found


def install() -> None:
    """For the modules of ours that are imported from now on."""
    sys.meta_path.insert(0, _Finder)


def copy_of(name: str) -> ModuleType:
    """A module of the standard library for ourselves alone."""
    spec = find_spec(name)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    module.__dict__["__builtins__"] = BUILTINS
    spec.loader.exec_module(module)
    return module


def text_of(value: object, limit: int = 500) -> str:
    """`str(value)` on one line; the code of the target that makes it may itself fail."""
    try:
        return str.join(" ", str.split(str(value)))[:limit]
    except BaseException as error:
        return f"(its own text fails: {type(error).__name__})"


def error_text(error: BaseException) -> str:
    """Type and text of an error, whatever the target has made of it."""
    return f"{type(error).__name__}: {text_of(error)}"
