"""One digest of a file's bytes, for the worker and the command."""

from __future__ import annotations

import errno
import os

LARGE_FILE = 2**30
FILE_BLOCK = 2**20
_ZEROS = bytes(FILE_BLOCK)


def file_digest(path: str) -> str:
    """Of the bytes of a whole file, 32 hexadecimal digits. Raises OSError.

    A large file may be mostly holes: of it the blocks that are not all zero count, each with its place, so that a hole
    and zeros that were written are the same, and holes are not read.
    """
    from xxhash import xxh3_128

    state = xxh3_128()
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= LARGE_FILE:
            while block := file.read(FILE_BLOCK):
                state.update(block)
            return str(state.hexdigest())
        state.update(b"%d" % size)
        place = _next_data(file.fileno(), 0)
        while place is not None and (block := os.pread(file.fileno(), FILE_BLOCK, place)):
            if block != _ZEROS[: len(block)]:
                state.update(b"%d:" % place)
                state.update(block)
            place = _next_data(file.fileno(), place + FILE_BLOCK)
    return str(state.hexdigest())


def _next_data(file: int, place: int) -> int | None:
    """Where the next block with data begins, a multiple of FILE_BLOCK; None where there is no more."""
    try:
        return os.lseek(file, place, os.SEEK_DATA) // FILE_BLOCK * FILE_BLOCK
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENXIO:
            return None
        return place  # a system or a file system that does not say
