"""Files that a target, or anybody, may have written: opened so that nothing waits, read in bounds, decoded as data.

A link leads out of the folder that was meant, a pipe never ends, a mapped file that is cut off ends the process that
reads it, and a short text may hold a number that fills the memory. None of that is an error of ours: every reader here
raises OSError or ValueError, each with a reason as text.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import mmap
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from reprocheck.model.places import is_notebook

BLOCK = 1 << 20
IN_MEMORY = 32 * 2**20
"""A larger file is copied to a file that nobody else knows, and mapped there."""
MOST_RECORDS = 4 * 2**30
"""Bytes of a file of records."""
MOST_LINES = 256 * 2**20
"""Bytes of a file of JSON lines."""
MOST_SOURCE = 8 * 2**20
"""Bytes of a file of source text."""
MOST_VALUES = 8_000_000
"""Values in one JSON text: a few bytes of text may become a hundred in memory."""


def open_regular(path: Path | str, *, follow: bool = False) -> BinaryIO:
    """A regular file, to be read. `follow`: a user named it, so that it may be a link. Raises OSError."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        number = os.open(path, flags)
    except ValueError as error:  # a zero byte, or a name that cannot be written in the file system's encoding
        raise OSError(errno.EINVAL, "it is no name of a file", str(path)) from error
    except OSError as error:
        if error.errno == errno.ELOOP and not follow:
            raise OSError(errno.ELOOP, "it is a link", str(path)) from error
        if error.errno == errno.ENXIO:  # a socket
            raise OSError(errno.ENXIO, "it is no regular file", str(path)) from error
        raise
    mode = os.fstat(number).st_mode
    if not stat.S_ISREG(mode):
        os.close(number)
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return os.fdopen(number, "rb")


def read_whole(path: Path | str, limit: int, *, follow: bool = False) -> bytes:
    """All of a regular file. Raises OSError, also where it is larger than `limit` bytes."""
    with open_regular(path, follow=follow) as file:
        if os.fstat(file.fileno()).st_size > limit:
            raise _too_large(path, limit)
        data = file.read(limit + 1)
    if len(data) > limit:
        raise _too_large(path, limit)
    return data


def read_source(path: Path | str) -> bytes:
    """A file of source text that a user wrote, or that a run left in its place; of a notebook the code of its cells,
    numbered as model.places has it. Raises OSError.
    """
    if is_notebook(path):
        from reprocheck.protocol.notebook.cells import notebook_source

        return notebook_source(path)
    return read_whole(path, MOST_SOURCE, follow=True)


def read_some(path: Path | str, limit: int, start: int = 0) -> bytes:
    """At most `limit` bytes of a regular file from `start` on. Raises OSError."""
    with open_regular(path) as file:
        file.seek(start)
        return file.read(limit)


def read_last_line(path: Path | str, limit: int) -> bytes:
    """The last line of a regular file that is not empty, without what it holds before its last `limit` bytes. Raises
    OSError.
    """
    with open_regular(path) as file:
        end = file.seek(0, os.SEEK_END)
        found = b""
        while end and len(found) < limit:
            start = max(0, end - BLOCK)
            file.seek(start)
            found, end = file.read(end - start) + found, start
            line = found.rstrip().rpartition(b"\n")
            if line[1]:
                return line[2]
    return found.strip()


def read_records(path: Path, start: int = 0, check: Callable[[bytes], None] | None = None) -> memoryview:
    """A file of records from `start` on, as it was when it was read: whatever becomes of it later does not show.

    `check` sees it block by block, and may refuse it. Raises OSError, or what `check` raises.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size - start
        if size > MOST_RECORDS:
            raise _too_large(path, MOST_RECORDS)
        if size <= 0:
            return memoryview(b"")
        file.seek(start)
        if size <= IN_MEMORY:
            data = file.read(size)
            if check is not None:
                check(data)
            return memoryview(data)
        with tempfile.TemporaryFile(prefix="reprocheck-") as copy:
            left = size
            while left and (data := file.read(min(BLOCK, left))):
                if check is not None:
                    check(data)
                copy.write(data)
                left -= len(data)
            copy.flush()
            if not copy.tell():
                return memoryview(b"")
            return memoryview(mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ))


def read_lines(path: Path | str, *, cut: bool = False, state: Any = None) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file, one a line. `cut`: the last line may have been cut off. `state`: a hash that is fed
    all lines but the last one.

    Raises OSError, or ValueError with what is wrong.
    """
    before = b""
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > MOST_LINES:
            raise _too_large(path, MOST_LINES)
        left, values = MOST_LINES, MOST_VALUES
        while data := file.readline(left + 1):
            left -= len(data)
            if left < 0:
                raise _too_large(path, MOST_LINES)
            if cut and not data.endswith(b"\n"):
                return
            if state is not None:
                state.update(before)
                before = data
            values -= count_values(data)
            if values < 0:
                raise ValueError(f"it holds more than {MOST_VALUES:,} values")
            line = parse_json(data)
            if not isinstance(line, dict):
                raise ValueError("a line is not a record")
            yield line


def write_new(path: Path, data: bytes) -> None:
    """A file of ours in a folder that a target may write to, too: whatever has its name there is put away first.

    Raises OSError.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(number, "wb") as file:
        file.write(data)


def count_values(data: bytes) -> int:
    """At least as many as there are values in a JSON text."""
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def parse_json(data: bytes | str) -> Any:
    """JSON as data, in UTF-8. Raises ValueError, and nothing else, whatever the text is."""
    try:
        return json.loads(data if isinstance(data, str) else data.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("it is not JSON: it is not in UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except MemoryError:
        raise ValueError("it is too large") from None


def whole(value: Any, least: int = 0, most: int = 2**63 - 1) -> int:
    """A whole number within bounds. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError("a whole number is missing")
    return value


def whole_or_none(value: Any) -> int | None:
    """The same, or None."""
    return None if value is None else whole(value)


def number(value: Any) -> float:
    """A finite number. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("a number is missing")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise ValueError("a number is not finite")
    return found


def text(value: Any) -> str:
    """A string. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("a text is missing")
    return value


def items(value: Any) -> list[Any]:
    """A list. Raises ValueError."""
    if not isinstance(value, list):
        raise ValueError("a list is missing")
    return value


def table(value: Any) -> dict[str, Any]:
    """An object. Raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError("an object is missing")
    return value


def texts(value: Any) -> dict[str, str]:
    """An object of strings. Raises ValueError."""
    return {name: text(item) for name, item in table(value).items()}


def _too_large(path: Path | str, limit: int) -> OSError:
    size = f"{limit >> 20:,} MiB" if limit >> 20 else f"{limit:,} bytes"
    return OSError(errno.EFBIG, f"it is larger than {size}", str(path))
