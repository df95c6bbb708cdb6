"""Act right before or after a module is imported for the first time.

torch is never imported by us before the target does it: a script may set OMP_NUM_THREADS or the like first.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class _OnImport:
    """A meta path finder that lets the others find the module and adds an action to its loading."""

    def __init__(self, name: str, action: Callable[[], None], *, before: bool = False) -> None:
        self.name = name
        self.action = action
        self.before = before
        self.acted = False
        self._asking = threading.local()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self.name or self.acted or getattr(self._asking, "now", False):
            return None
        self._asking.now = True  # a mere probe (find_spec) must not use the hook up: it stays until the import
        try:
            spec = find_spec(name)
        finally:
            self._asking.now = False
        if spec is None or spec.loader is None:
            return spec
        loader: Any = spec.loader
        execute = loader.exec_module

        def execute_and_act(module: ModuleType) -> None:
            if self.before:
                self._act()
            execute(module)
            if not self.before:
                self._act()

        loader.exec_module = execute_and_act
        return spec

    def _act(self) -> None:
        if not self.acted:  # a reload executes it again
            self.acted = True
            sys.meta_path.remove(self)
            self.action()


def after_import(name: str, action: Callable[[], None]) -> None:
    """Call `action` once `name` is imported; now, if it is already. A module of a package that is hidden, as torch is
    in a forked run, counts as imported with the package."""
    package = name.partition(".")[0]
    if name in sys.modules and package not in sys.modules:
        after_import(package, lambda: after_import(name, action))
    elif name in sys.modules:
        action()
    else:
        sys.meta_path.insert(0, _OnImport(name, action))


def before_import(name: str, action: Callable[[], None]) -> None:
    """Call `action` right before `name` is imported; never, if it is already."""
    if name not in sys.modules:
        sys.meta_path.insert(0, _OnImport(name, action, before=True))
