"""What objects hold besides their contents: which attributes are data, and which belong to the environment."""

from __future__ import annotations

import gc
import io
import os
import re
import sys
import sysconfig
import threading
import time
import types
from functools import lru_cache
from typing import Any

from xxhash import xxh3_128_hexdigest

from reprocheck.worker.fingerprint.leaf_forms import REFERENCE, Leaf, type_name
from reprocheck.worker.fingerprint.leaf_keys import key_name

_wall, _counter, _monotonic = time.time, time.perf_counter, time.monotonic
_STARTED = _wall(), _counter(), _monotonic()

_HEAP_TYPE = 1 << 9
_POINTER = 8

_ENVIRONMENT_NAMES = (
    "_asyncio",
    "_io",
    "_queue",
    "_socket",
    "_thread",
    "asyncio",
    "concurrent",
    "contextvars",
    "io",
    "logging",
    "mlflow",
    "mmap",
    "multiprocessing",
    "queue",
    "rich",
    "selectors",
    "socket",
    "subprocess",
    "tensorboard",
    "tensorboardX",
    "threading",
    "torch.utils.tensorboard",
    "tqdm",
    "unittest",
    "wandb",
    "weakref",
)
"""Packages whose objects are no results, whoever holds them."""

_OF_DATA = (
    "argparse",
    "collections",
    "easydict",
    "functools",
    "ml_collections",
    "numpy",
    "omegaconf",
    "pandas",
    "random",
    "scipy",
    "sklearn",
    "torch",
    "torch_geometric",
    "types",
)
"""Libraries whose objects are data where an object of the target holds them; all others may hold anything."""

_DURATION = re.compile(
    r"(^|_)(time|times|seconds|secs|elapsed|duration|wall|walltime|fps|throughput|timestamp|t0|tic|toc|eta)(_|$)"
)


def attributes_of(value: Any) -> dict[str, Any]:
    """Its attributes by name, from `__slots__` and `__dict__`. No code of its class runs."""
    found: dict[str, Any] = {}
    for kind in reversed(type.mro(type(value)) if type(value) is not type else ()):
        if kind.__flags__ & _HEAP_TYPE and "__slots__" in kind.__dict__:
            for name, member in kind.__dict__.items():
                if type(member) is types.MemberDescriptorType:
                    try:
                        found[name] = member.__get__(value)
                    except AttributeError:  # never set
                        continue
    try:
        own = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return found
    if issubclass(type(own), dict) and own is not value:
        found.update((name, item) for name, item in dict.items(own) if type(name) is str)
    return found


def has_hidden_state(kind: type) -> bool:
    """Whether its objects have memory that is no attribute: an extension written in C has, a Python class has not."""
    while kind is not object and kind.__base__ is not None:
        base = kind.__base__
        room = kind.__basicsize__ - base.__basicsize__
        for offset in ("__dictoffset__", "__weakrefoffset__"):
            room -= _POINTER * (getattr(kind, offset) > 0 and not getattr(base, offset))
        if "__slots__" in kind.__dict__:
            members = (item for item in kind.__dict__.values() if type(item) is types.MemberDescriptorType)
            room -= _POINTER * sum(1 for _ in members)
        if room > 0:
            return True
        kind = base
    return False


def is_surrounding(kind: type) -> bool:
    """Whether objects of this type belong to the process, not to what it computed."""
    if issubclass(kind, (types.ModuleType, types.FrameType, types.TracebackType, types.CodeType)):
        return True
    return any(_is_of(base.__module__, _ENVIRONMENT_NAMES) for base in kind.__mro__)


def contents_of(value: Any) -> Any:
    """What a buffer in memory or a `threading.local` holds; None for anything else, or one that is closed."""
    kind = type(value)
    try:
        if kind is io.BytesIO or kind is io.StringIO:
            return value.getvalue()
        if issubclass(kind, threading.local):
            return dict(vars(value))  # of this thread
    except (AttributeError, TypeError, ValueError):
        return None
    return None


def cached_in(value: Any) -> list[Any]:
    """What a `functools.lru_cache` keeps, in the order in which it came: with a bound, arguments and results."""
    kept: list[Any] = []
    for held in gc.get_referents(value):  # the entries of a list, then the table
        if type(held) is dict:
            return kept + [item for item in held.values() if type(item).__name__ != "_lru_list_elem"]
        if not issubclass(type(held), type):
            kept.append(held)
    return kept


def is_library(kind: type) -> bool:
    """Whether a type comes from an installed package or from Python itself."""
    return is_of_library(kind.__module__)


@lru_cache(maxsize=4096)
def is_of_library(module: object) -> bool:
    """Whether a module of this name does."""
    if not isinstance(module, str):
        return False
    if module in sys.builtin_module_names:
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    return isinstance(file, str) and (file.startswith(_STANDARD) or any(part in file for part in _PACKAGES))


def may_hold_anything(kind: type) -> bool:
    """Whether it is a library's, and not one of those that hold data."""
    return is_library(kind) and not _is_of(kind.__module__, _OF_DATA)


def surrounding_leaf(path: str, name: str, value: Any) -> Leaf | None:
    """The leaf of an attribute that describes the environment: the time, or how long something took."""
    kind = type(value)
    if kind is float:
        if is_reading(value):
            return Leaf(path, REFERENCE, "float64", reason="it is a reading of the clock")
        if _DURATION.search(name.lower()):
            return Leaf(path, REFERENCE, "float64", reason="its name says that it is a time or a speed")
    if kind is int and value > 1_000_000_000:
        seconds = value / 1e9 if value > 10**18 else value / 1e3 if value > 10**12 else value
        if _STARTED[0] - 1 <= seconds <= _wall() + 1:
            return Leaf(path, REFERENCE, "int", reason="it is a reading of the clock")
    if kind.__module__ == "datetime" and hasattr(value, "timestamp"):
        try:
            if _STARTED[0] - 1 <= value.timestamp() <= _wall() + 1:
                return Leaf(path, REFERENCE, "text", reason="it is a reading of the clock")
        except (OverflowError, ValueError, OSError):
            return None
    return None


def is_reading(value: float) -> bool:
    """Whether a clock showed this value while the process ran."""
    return value != int_or_none(value) and any(began - 1 <= value <= now() + 1 for began, now in _clocks())


def reference_leaf(path: str, value: Any) -> Leaf:
    """A part of the environment, or of a library that may hold anything."""
    kind = type(value)
    return Leaf(path, REFERENCE, kind.__qualname__, reason=f"a {type_name(kind)} is not looked into")


def int_or_none(value: float) -> int | None:
    """A float as the whole number that it is near; None for one that is none."""
    try:
        return int(value)
    except (OverflowError, ValueError):
        return None


def _clocks() -> tuple[tuple[float, Any], ...]:
    return tuple(zip(_STARTED, (_wall, _counter, _monotonic), strict=True))


def _is_of(module: object, packages: tuple[str, ...]) -> bool:
    return isinstance(module, str) and any(module == name or module.startswith(name + ".") for name in packages)


_STANDARD = sysconfig.get_paths()["stdlib"] + os.sep
_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def is_data(name: str, item: Any) -> bool:
    """Whether an attribute of a class is no method, nothing computed, and nothing that Python put there."""
    kind = type(item)
    dunder = name.startswith("__") and name.endswith("__")
    return not (dunder or name == "_abc_impl" or issubclass(kind, type) or hasattr(kind, "__get__"))


def code_key(code: types.CodeType) -> str:
    """What a function does, wherever it stands."""
    constants = [code_key(item) if type(item) is types.CodeType else key_name(item) for item in code.co_consts]
    names = code.co_names, code.co_varnames, code.co_freevars
    return xxh3_128_hexdigest(code.co_code + repr((names, constants)).encode("utf-8", "surrogatepass"))
