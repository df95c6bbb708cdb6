"""Files of ours in the process of a target, which may close every descriptor and get the same numbers for files of its
own. So a file is known by device and inode, and asked for them before each write: nothing of ours ever goes anywhere
else. `os` and `stat` are taken down here, before the target can replace anything in them.
"""

from __future__ import annotations

import errno
from os import O_APPEND, O_CLOEXEC, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_TRUNC, O_WRONLY, close, fstat, pwrite, write
from os import open as open_
from pathlib import Path
from stat import S_ISREG

_FLAGS = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
"""NONBLOCK: a pipe that was put in the place of a file must not hold up the target."""

Identity = tuple[int, int]


class OwnFile:
    """A file that this process alone writes, from its beginning to its end or at places. Unbuffered: a forked
    child has nothing of ours to write when it ends."""

    def __init__(self, path: Path) -> None:
        self._path = str(path.absolute())
        self._number = open_(self._path, _FLAGS | O_CREAT | O_TRUNC, 0o600)
        self._identity = identity(self._number)
        self._size = 0
        self.end = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """At the end. Raises OSError, also where the file is not to be found any more."""
        self.end = self.write_at(self.end, data)

    def write_at(self, position: int, data: bytes | bytearray | memoryview) -> int:
        """At a position; the position after it."""
        view = memoryview(data)
        if view.nbytes and not self._is_ours(self._number):
            self._open_again()
        while view.nbytes:
            written = pwrite(self._number, view, position)
            position, view = position + written, view[written:]
        self._size = max(self._size, position)
        return position

    def _is_ours(self, number: int) -> bool:
        """A file that lost what was written is none: it was cut, or another one got the inode of ours."""
        try:
            seen = fstat(number)
        except OSError:
            return False
        return (seen.st_dev, seen.st_ino) == self._identity and seen.st_size >= self._size

    def _open_again(self) -> None:
        """The old number is left alone: it may be the target's by now."""
        number = -1
        try:
            number = open_(self._path, _FLAGS)
            if self._is_ours(number):
                self._number = number
                return
        except OSError:
            pass
        if number >= 0:
            close(number)
        raise OSError(errno.ESTALE, "the target closed, removed, cut or replaced it")


def append(path: str, data: bytes) -> None:
    """Add to a file of ours that several processes write. Raises OSError."""
    number = open_(path, _FLAGS | O_APPEND | O_CREAT, 0o600)
    try:
        if S_ISREG(fstat(number).st_mode):
            write(number, data)
    finally:
        close(number)


def identity(number: int) -> Identity | None:
    """Which file an open descriptor is of; None where it is closed."""
    try:
        seen = fstat(number)
    except OSError:
        return None
    return seen.st_dev, seen.st_ino
