"""Keep PyTorch's compiler from being imported until it is needed: that takes as long as the import of torch itself.

Every optimizer imports `torch._dynamo` at its first use, only to register what the compiler leaves alone. As long as
nothing is compiled there is nothing to register. So a stand-in takes the module's place: it answers these two calls,
and becomes the real module as soon as anything else of it is asked for. So it is with the two questions that every rank
asks: DistributedDataParallel, how it is compiled, and a process group, which rules are to be forgotten.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from types import FunctionType, MethodType, ModuleType
from typing import Any

NAME = "torch._dynamo"
_DDP_DEFAULT = re.compile(rb"^optimize_ddp(?:: *(?:\w+|\([^)]*\)))? = True$", re.MULTILINE)
"""In config.py. What a target sets itself loads the real module."""


class _StandIn(ModuleType):
    """Answers `disable` and `graph_break`; anything else loads the real module in its place."""

    def __getattr__(self, name: str) -> Any:
        if name in _PARTS and not is_loaded():
            return _PARTS[name]
        return getattr(load(), name)

    def disable(self, fn: Any = None, *args: Any, **kwargs: Any) -> Any:
        """What `torch._dynamo.disable` gives, made when the compiler is there.

        Of a function, that is. Classes, modules and decorators (no `fn`) are left to the compiler itself.
        """
        if is_loaded() or not isinstance(fn, FunctionType | MethodType):
            return load().disable(fn, *args, **kwargs)
        _asked.add("disable")
        real: list[Callable[..., Any]] = []

        def call(*given: Any, **named: Any) -> Any:
            if not real:
                if not is_loaded():
                    return fn(*given, **named)
                real.append(load().disable(fn, *args, **kwargs))
            return real[0](*given, **named)

        if kwargs.get("wrapping", True):
            functools.update_wrapper(call, fn)
        _waiting.append((fn, call))
        return call

    def graph_break(self, *args: Any, **kwargs: Any) -> None:
        """Nothing is compiled, so nothing is broken."""
        if is_loaded():
            load().graph_break(*args, **kwargs)
        else:
            _asked.add("graph_break")


class _Part(ModuleType):
    """Of the module: answers one question of a rank; anything else loads the real one."""

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(load(), self.__name__), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(getattr(load(), self.__name__), name, value)


class _Rules(_Part):
    def clear_lru_cache(self) -> None:
        """Nothing is compiled, so no rule was looked up."""
        if is_loaded():
            load().trace_rules.clear_lru_cache()


class _Utils(_Part):
    def get_optimize_ddp_mode(self) -> Any:
        """What follows from the default, which nobody has changed."""
        if is_loaded() or not _ddp_is_default():
            return load().utils.get_optimize_ddp_mode()
        _asked.add("get_optimize_ddp_mode")
        return "ddp_optimizer"


def _ddp_is_default() -> bool:
    try:
        with open(os.path.join(os.path.dirname(sys.modules[NAME].__file__ or ""), "config.py"), "rb") as file:
            return _DDP_DEFAULT.search(file.read()) is not None
    except OSError:
        return False


_PARTS: dict[str, Any] = {"trace_rules": _Rules("trace_rules"), "utils": _Utils("utils")}
_waiting: list[tuple[Callable[..., Any], Callable[..., Any]]] = []
"""Functions that torch was given a stand-in for."""
_asked: set[str] = set()


def install() -> None:
    """Right after the import of torch, unless the compiler came with it."""
    torch: Any = sys.modules["torch"]
    if NAME not in sys.modules and hasattr(torch, "_disable_dynamo"):
        stand_in = _StandIn(NAME)
        stand_in.__spec__ = spec = find_spec(NAME)
        stand_in.__file__ = spec.origin if spec is not None else None  # who looks through all modules asks for it
        sys.modules[NAME] = torch._dynamo = stand_in


def is_loaded() -> bool:
    """Whether the real module is there."""
    return not isinstance(sys.modules.get(NAME), _StandIn)


def was_spared() -> bool:
    """Whether torch asked for the compiler, and did without."""
    return not is_loaded() and bool(_asked)


def load() -> Any:
    """The real module, imported now if need be."""
    stand_in = sys.modules.get(NAME)
    if not isinstance(stand_in, _StandIn):
        return importlib.import_module(NAME)
    sys.modules.pop(NAME, None)
    try:
        real = importlib.import_module(NAME)
    except BaseException:
        sys.modules[NAME] = stand_in
        raise
    for fn, call in _waiting:  # torch asks again, and gets what the compiler makes
        if getattr(fn, "__dynamo_disable", None) is call:
            del fn.__dynamo_disable  # type: ignore[attr-defined]
    _waiting.clear()
    return real
