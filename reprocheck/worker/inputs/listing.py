"""Directory listings as another file system would give them, and without reprocheck's own folder."""

from __future__ import annotations

import os
import pathlib
import random
from collections.abc import Callable, Iterator
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


def _name(entry: Any) -> bytes:
    return os.fsencode(entry.name if isinstance(entry, os.DirEntry) else entry)


def rearrange(
    key: int | None, evidence: str, *, in_order: bool = False, on_listing: Callable[[Any], None] | None = None
) -> None:
    """Shuffle all later listings of this process with `key` (None: the file system's order); hide `evidence`.

    `in_order`: they come sorted instead. `on_listing` gets the folders that os.listdir was asked for: the audit event
    of that name comes from every import, too.
    """
    parent, own = os.path.split(os.path.realpath(evidence))

    def is_ours(folder: Any, name: str | bytes) -> bool:
        name = os.fsdecode(name)
        if name == EVIDENCE_FOLDER:
            return True
        return name == own and not isinstance(folder, int) and os.path.realpath(os.fsdecode(folder or ".")) == parent

    def arranged(entries: list[Any]) -> list[Any]:
        if in_order:
            entries.sort(key=_name)
        elif key is not None:
            random.Random(key * 1_000_003 + len(entries)).shuffle(entries)
        return entries

    def listdir(path: Any = ".") -> list[Any]:
        if on_listing is not None:
            on_listing(path)
        return arranged([name for name in _listdir(path) if not is_ours(path, name)])

    def scandir(path: Any = ".") -> _Listing:
        with _scandir(path) as entries:
            return _Listing(arranged([entry for entry in entries if not is_ours(path, entry.name)]))

    for original, ours in ((_listdir, listdir), (_scandir, scandir)):
        # They can be pickled: a child takes its own originals by this name.
        ours.__module__, ours.__name__, ours.__qualname__ = "os", original.__name__, original.__name__
        ours.__doc__ = original.__doc__
        os.supports_fd.add(ours)
    os.listdir, os.scandir = listdir, scandir  # type: ignore[assignment]
    accessor = getattr(pathlib, "_NormalAccessor", None)  # Python 3.10 keeps its own references
    if accessor is not None:
        accessor.listdir, accessor.scandir = staticmethod(listdir), staticmethod(scandir)
