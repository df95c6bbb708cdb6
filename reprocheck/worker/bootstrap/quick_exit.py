"""The end of a forked run: the libraries that its template loaded are not taken down one by one.

Their destructors unregister thousands of operators, in memory that the system is about to take back; of a small run
that is a third. Everything of the target's ends as ever: its threads, exit functions, objects and files, and what C has
buffered. Where it loaded a library of its own, or something was loaded before all others, destructors run.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
from collections.abc import Set
from contextlib import suppress

_loaded: Set[str] = frozenset()


def remember_libraries() -> None:
    """In a template, once everything is imported."""
    global _loaded
    _loaded = _libraries()


def end_quickly() -> None:
    """In a forked run, before anything of the target: what it registers to run at its end runs before."""
    atexit.register(_skip_destructors)


def _skip_destructors() -> None:
    with suppress(Exception):  # no glibc, or what the target left behind
        if "LD_PRELOAD" in os.environ or not _loaded or _of_others(_libraries() - _loaded):
            return
        libc = ctypes.CDLL(None)
        leave, flush = (ctypes.cast(one, ctypes.c_void_p) for one in (libc._exit, libc.fflush))
        if libc.on_exit(leave, None) == 0:  # the last one registered runs first
            libc.__cxa_atexit(flush, None, None)


def _of_others(libraries: Set[str]) -> bool:
    """Whether some belong neither to Python nor to what a template imports."""
    folders = [os.path.join(os.path.dirname(os.__file__), "lib-dynload")]
    for name in ("torch", "numpy"):
        file = getattr(sys.modules.get(name), "__file__", None)
        folders += [] if file is None else [os.path.dirname(file), f"{os.path.dirname(file)}.libs"]
    return any(not library.startswith(tuple(f"{folder}{os.sep}" for folder in folders)) for library in libraries)


def _libraries() -> Set[str]:
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
        return {line.split(maxsplit=5)[5].rstrip("\n") for line in file if ".so" in line}
