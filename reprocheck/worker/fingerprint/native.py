"""The compiled helper: header and bytes of many tensors in one call. Without it the same is done in Python.

`native.c` is built with the package where there is a C compiler (`hatch_build.py`). It needs a PyTorch with DLPack's C
exchange API and an interpreter with a global lock.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from xxhash import xxh3_128_digest

LIBRARY = Path(__file__).with_name("_native.so")

Feed = Callable[[Callable[[Any], None], "list[torch.Tensor | bytes | None]", int], int]
Digest = Callable[[torch.Tensor], bytes]


class _Method(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


class Unavailable(Exception):
    """Why the helper is not in use."""


def load(other: Digest, other_contents: Digest, library: Path = LIBRARY) -> tuple[Feed, Digest, Digest]:
    """Its functions: `feed`, the digest of a tensor, and of its bytes alone. The others take what is not for it."""
    if not library.is_file():
        raise Unavailable("it was not built: there was no C compiler when the package was installed")
    if sys.implementation.name != "cpython" or not getattr(sys, "_is_gil_enabled", lambda: True)():
        raise Unavailable("this Python has no global interpreter lock")
    exchange = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)
    if exchange is None:
        raise Unavailable(f"PyTorch {torch.__version__} has no C exchange API for tensors, which newer ones have")
    base: Any = torch._C.TensorBase
    storage: Any = torch._C.StorageBase
    try:
        objects = [
            *(torch.Tensor, torch.nn.Parameter, torch.int8, torch.uint8, None, False),
            *(base.untyped_storage, storage.nbytes, base.storage_offset),
            *(base.is_neg, torch._C._is_cow_tensor),  # type: ignore[attr-defined]
            *(torch._C._len_torch_function_stack, xxh3_128_digest, other, other_contents, exchange),
        ]
        found = ctypes.PyDLL(str(library))
        prepare = found.reprocheck_prepare
        prepare.argtypes, prepare.restype = [ctypes.py_object], ctypes.c_int
        if not prepare(objects):
            raise Unavailable(f"it is of another version, or PyTorch {torch.__version__} exchanges tensors otherwise")
        return (
            _function(found, "reprocheck_feed"),
            _function(found, "reprocheck_digest"),
            _function(found, "reprocheck_contents_digest"),
        )
    except (OSError, AttributeError) as error:
        raise Unavailable(f"it cannot be loaded: {error}") from error


def _function(library: ctypes.PyDLL, name: str) -> Any:
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.argtypes, make.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p], ctypes.py_object
    method = _Method.in_dll(library, name)
    _held.append((library, method))
    return make(ctypes.addressof(method), None, None)


_held: list[Any] = []


class Helper:
    """The helper of this process, once `digest` has looked for it."""

    feed: Feed | None = None
    """`feed(update, items, start)`: header and bytes of items, from a place on to the one that is not plain."""
    why_not = ""
    """Why it is not in use."""

    @property
    def state(self) -> str:
        """For reports."""
        return f"Python: {self.why_not}" if self.why_not else "compiled helper"


helper = Helper()
