"""The peak of what a run held in memory, and what the target would take without us.

A run that was forked from a template has the template's heap in its own count, but of the libraries' files only the
pages that it touched itself: a process that loads them has the others, too. And the import of PyTorch's compiler, which
an optimizer asks for, is spared (compiler_stub).
"""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from typing import Any

from reprocheck.worker.bootstrap import compiler_stub

COMPILER_BYTES = 72 * 2**20
"""What the import of PyTorch's compiler takes, measured with PyTorch 2.13; a test compares the sum with a plain run."""
_ENTRY = 8
_PRESENT, _OF_A_FILE = 7, 5
"""Bits of the last byte of an entry of /proc/self/pagemap."""

_kept: list[tuple[int, int, int]] = []
"""Of a template: mappings of files as (first page, number of pages, one byte a page: 0x80 where it is in memory)."""


def remember_files() -> None:
    """In a template, once it is warm: the pages of files that its runs will not have."""
    _kept.clear()
    with suppress(OSError, ValueError):
        for first, count in _mappings():
            found = _bytes_of(first, count)
            _kept.append((first, count, found & (found << (_PRESENT - _OF_A_FILE)) & _present(count)))


def peaks() -> dict[str, int]:
    """`rss_peak`: what this process held at most. `plain_rss_peak`: about what `python` alone would have held for the
    same (Linux). `children_rss_peak`: what the largest of its children held at most, 0 where that is not known.

    To a child that has ended the system also counts what this process held when it started it, before another program
    took its place: only a figure above our own is the child's for certain.
    """
    own = _bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    ended = _bytes(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    found = {"rss_peak": own, "children_rss_peak": max([ended if ended > own else 0, *_alive()])}
    if sys.platform == "linux":
        found["plain_rss_peak"] = own + _not_counted()
    return found


def memory() -> dict[str, Any]:
    """All peaks of the run, those of GPUs too."""
    found: dict[str, Any] = dict(peaks())
    torch: Any = sys.modules.get("torch")
    if torch is not None and getattr(torch, "cuda", None) and torch.cuda.is_initialized():
        found["cuda"] = [
            {
                "device": device,
                "allocated_peak": torch.cuda.max_memory_allocated(device),
                "reserved_peak": torch.cuda.max_memory_reserved(device),
            }
            for device in range(torch.cuda.device_count())
        ]
    return found


def _not_counted() -> int:
    pages = 0
    with suppress(OSError, ValueError):
        for first, count, kept in _kept:
            pages += (kept & ~_bytes_of(first, count)).bit_count()
    return pages * resource.getpagesize() + (COMPILER_BYTES if compiler_stub.was_spared() else 0)


def _bytes(peak: int) -> int:
    return peak if sys.platform == "darwin" else peak * 1024


def _alive() -> list[int]:
    """Peaks of the children that have not ended (Linux), of theirs too."""
    found, todo = [], [os.getpid()]
    while todo:
        with suppress(OSError, ValueError, IndexError):
            parent = todo.pop()
            for thread in os.listdir(f"/proc/{parent}/task"):
                todo += map(int, _read(f"/proc/{parent}/task/{thread}/children").split())
            if parent != os.getpid():
                found.append(1024 * int(_read(f"/proc/{parent}/status").partition(b"VmHWM:")[2].split()[0]))
    return found


def _mappings() -> list[tuple[int, int]]:
    """Files that are mapped into this process, as first page and number of pages."""
    page = resource.getpagesize()
    found = []
    for line in _read("/proc/self/maps").splitlines():
        fields = line.split(maxsplit=5)
        if fields[4] != b"0":  # the inode
            start, end = (int(word, 16) // page for word in fields[0].split(b"-"))
            found.append((start, end - start))
    return found


def _bytes_of(first: int, count: int) -> int:
    """The last byte of the entry of each of these pages, as one number."""
    with open("/proc/self/pagemap", "rb", buffering=0) as file:
        file.seek(first * _ENTRY)
        return int.from_bytes(file.read(count * _ENTRY)[_ENTRY - 1 :: _ENTRY], "little")


def _present(count: int) -> int:
    return int.from_bytes(bytes([1 << _PRESENT]) * count, "little")


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
