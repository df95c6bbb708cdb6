"""Whether the process that works in a folder still lives: it holds a lock on a file there."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

LOCK_FILE = "running"
"""In a folder that is in use, or whose user was killed."""


class Lock:
    """Holds a folder, which appears as held at once, or, where files cannot be locked, never."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        fresh = folder / f".{LOCK_FILE}"
        self._number = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(fresh, folder / LOCK_FILE)
        except OSError:  # a file system without locks
            with suppress(OSError):
                os.unlink(fresh)

    def move(self, folder: Path) -> None:
        """Give the folder its name. Raises OSError where there is one already."""
        os.rename(self._folder, folder)
        self._folder = folder

    def release(self) -> None:
        """The work is done."""
        with suppress(OSError):
            path = self._folder / LOCK_FILE
            if os.path.samestat(os.lstat(path), os.fstat(self._number)):
                os.unlink(path)
        with suppress(OSError):
            os.close(self._number)


def is_held(folder: Path) -> bool | None:
    """Whether the one that works there lives; False when it was killed, None where nobody says that he works there."""
    try:
        number = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError:
        return True  # not ours to judge
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError as error:
        return True if error.errno in (errno.EWOULDBLOCK, errno.EACCES) else None
    finally:
        os.close(number)
