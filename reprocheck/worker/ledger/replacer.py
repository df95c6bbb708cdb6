"""Put a wrapper in the place of a function, so that nobody sees the difference, and take it away again.

The wrapper keeps name, signature and place for pickling. torch.compile is sent past it to the original.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from reprocheck.worker.bootstrap.importing import after_import
from reprocheck.worker.bootstrap.torchscript import register_with_torchscript
from reprocheck.worker.ledger.entries import Entry, Source
from reprocheck.worker.ledger.ledger import Ledger

Choice = Callable[[tuple[Any, ...], dict[str, Any]], Source | None]
"""Arguments → the source that a call belongs to, or None."""


class Replacer:
    """Replaces functions by wrappers that enter calls into a ledger."""

    def __init__(self, ledger: Ledger, trouble: Callable[[str], None]) -> None:
        self.ledger = ledger
        self._trouble = trouble
        self._replaced: list[tuple[Any, str, Any, Any]] = []

    def once_imported(self, module: str, act: Callable[[Any], None]) -> None:
        """Call `act` with a module as soon as it is there. What it cannot wrap stays as it is."""

        def guarded() -> None:
            try:
                act(sys.modules[module])
            except Exception as error:
                self._trouble(f"uses of {module} could not be taken down: {type(error).__name__}: {error}")

        after_import(module, guarded)

    def watch(self, owner: Any, name: str, /, **fields: Any) -> None:
        """Enter every call of `owner.name` as one source; without `value`, the calls have none."""
        if not hasattr(owner, name):
            return
        source = self.ledger.source(**{"name": f"{_module_name(owner)}.{name}", **fields})
        use, constant = self.ledger.use, source.constant
        original = getattr(owner, name)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            entry = use(source, sys._getframe(1), args, kwargs)
            if entry is not None and entry.frozen and constant is not None:
                return constant(entry, args, kwargs)
            return original(*args, **kwargs)

        self.replace(owner, name, wrapper)

    def watch_by_choice(
        self, owner: Any, name: str, choose: Choice, then: Callable[[Any, Entry], None] | None = None
    ) -> None:
        """Enter each call of `owner.name` as the source that its arguments choose; `then` gets the result."""
        if not hasattr(owner, name):
            return
        use = self.ledger.use
        original = getattr(owner, name)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            try:
                source = choose(args, kwargs)
            except Exception:  # arguments of another kind: the original says what it thinks of them
                source = None
            if source is not None:
                entry = use(source, sys._getframe(1), args, kwargs)
                if entry is not None and entry.frozen and source.constant is not None:
                    return source.constant(entry, args, kwargs)
                if entry is not None and then is not None and entry.kind == "unseeded":
                    made = original(*args, **kwargs)
                    with contextlib.suppress(Exception):
                        then(made, entry)
                    return made
            return original(*args, **kwargs)

        self.replace(owner, name, wrapper)

    def replace(self, owner: Any, name: str, wrapper: Any) -> None:
        """Put `wrapper` in the place of `owner.name`."""
        original = getattr(owner, name)
        functools.update_wrapper(wrapper, original)
        # Also for an inherited method, and for one of a hidden instance as random.random is.
        if isinstance(owner, type):
            wrapper.__module__, wrapper.__qualname__ = owner.__module__, f"{owner.__qualname__}.{name}"
        else:
            wrapper.__module__, wrapper.__name__, wrapper.__qualname__ = owner.__name__, name, name
        wrapper._torchdynamo_inline = original
        register_with_torchscript(original, wrapper)
        for functions in (os.supports_fd, os.supports_dir_fd, os.supports_follow_symlinks):
            if original in functions:
                functions.add(wrapper)
        before = vars(owner).get(name, original) if isinstance(owner, type) else original
        set_attribute(owner, name, wrapper)
        self._replaced.append((owner, name, before, wrapper))

    def replace_classmethod(self, owner: type, name: str, function: Any) -> None:
        """Put `function` in the place of a class method of a type written in C."""
        functools.update_wrapper(function, getattr(owner, name))
        set_attribute(owner, name, classmethod(function))

    @contextlib.contextmanager
    def taken_away(self, *modules: str) -> Iterator[None]:
        """The originals of these modules stand in their places meanwhile."""
        taken = [entry for entry in self._replaced if _module_name(entry[0]) in modules]
        for owner, name, original, _ in taken:
            setattr(owner, name, original)
        yield
        for owner, name, _, wrapper in taken:
            setattr(owner, name, wrapper)

    def take_away(self, *modules: str) -> None:
        """The originals of these modules stand in their places from now on."""
        for owner, name, original, wrapper in self._replaced:
            if _module_name(owner) in modules and getattr(owner, name, None) is wrapper:
                setattr(owner, name, original)


def set_attribute(owner: Any, name: str, value: Any) -> None:
    """As setattr, but also for types written in C that refuse it.

    Another type in their place would break `type(x) is datetime` and tables keyed by type; one entry of their own
    dictionary does not. Where an interpreter keeps that out of reach, the type stays as it is.
    """
    try:
        setattr(owner, name, value)
    except TypeError:
        entries = gc.get_referents(vars(owner))
        if len(entries) == 1 and type(entries[0]) is dict and name in entries[0]:
            entries[0][name] = value
            ctypes.pythonapi.PyType_Modified(ctypes.py_object(owner))


def _module_name(owner: Any) -> str:
    return f"{owner.__module__}.{owner.__qualname__}" if isinstance(owner, type) else str(owner.__name__)
