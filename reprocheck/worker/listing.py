"""Directory listings as another file system would give them, and without reprocheck's own folder."""

from __future__ import annotations

import os
import pathlib
import random
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from reprocheck.protocol import EVIDENCE_FOLDER

_listdir, _scandir = os.listdir, os.scandir


class _Listing:
    """What os.scandir returns: an iterator that can be closed and used in `with`."""

    def __init__(self, entries: list[os.DirEntry[Any]]) -> None:
        self._entries: Iterator[os.DirEntry[Any]] = iter(entries)

    def __iter__(self) -> Iterator[os.DirEntry[Any]]:
        return self

    def __next__(self) -> os.DirEntry[Any]:
        return next(self._entries)

    def __enter__(self) -> _Listing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._entries = iter(())


def _is_ours(name: str | bytes) -> bool:
    return os.fsdecode(name) == EVIDENCE_FOLDER


def rearrange(key: int | None) -> None:
    """Shuffle all later listings of this process with `key` (None: the file system's order)."""

    def arranged(entries: list[Any]) -> list[Any]:
        if key is not None:
            random.Random(key * 1_000_003 + len(entries)).shuffle(entries)
        return entries

    def listdir(path: Any = ".") -> list[Any]:
        return arranged([name for name in _listdir(path) if not _is_ours(name)])

    def scandir(path: Any = ".") -> _Listing:
        with _scandir(path) as entries:
            return _Listing(arranged([entry for entry in entries if not _is_ours(entry.name)]))

    os.listdir, os.scandir = listdir, scandir  # type: ignore[assignment]
    accessor = getattr(pathlib, "_NormalAccessor", None)  # Python 3.10 keeps its own references
    if accessor is not None:
        accessor.listdir, accessor.scandir = staticmethod(listdir), staticmethod(scandir)
