"""Members of a zip archive, without copies where they are stored as they are."""

from __future__ import annotations

import mmap
import struct
import zipfile

from reprocheck.commands.diff.checkpoints.model import Unreadable
from reprocheck.protocol.reading import open_regular

MOST_UNPACKED = 64
"""Times the size of an archive that one compressed member may have; 1 GiB in any case."""
_HEADER = struct.Struct("<4s22xHH")


def map_file(path: str) -> memoryview:
    """The bytes of a regular file, read as they are used. Raises OSError."""
    with open_regular(path, follow=True) as file:
        try:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except ValueError:  # an empty file
            return memoryview(b"")


class Archive:
    """The members of one zip file in memory, or in a file that is mapped. Raises Unreadable."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        try:
            self._zip = zipfile.ZipFile(_File(data))
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
            raise Unreadable(f"it is no zip archive, or a damaged one: {error}") from error

    @property
    def names(self) -> list[str]:
        """Of all members."""
        return self._zip.namelist()

    def member(self, name: str) -> memoryview:
        """The bytes of one member."""
        try:
            info = self._zip.getinfo(name)
        except KeyError as error:
            raise Unreadable(f"the archive has no member {name}") from error
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            return self._unpacked(info)
        start = info.header_offset
        if not 0 <= start <= self._data.nbytes - _HEADER.size:
            raise Unreadable("the archive is cut short")
        mark, name_size, extra_size = _HEADER.unpack_from(self._data, start)
        begin = start + _HEADER.size + name_size + extra_size
        if mark != b"PK\x03\x04" or not 0 <= info.file_size <= self._data.nbytes - begin:
            raise Unreadable("the archive is damaged or cut short")
        return self._data[begin : begin + info.file_size]

    def _unpacked(self, info: zipfile.ZipInfo) -> memoryview:
        most = max(1 << 30, MOST_UNPACKED * self._data.nbytes)
        try:
            with self._zip.open(info) as file:
                data = file.read(min(info.file_size, most) + 1)
        except Exception as error:  # zlib, lzma and passwords have their own errors
            raise Unreadable(f"the member {info.filename} cannot be unpacked: {error}") from error
        if len(data) > most:
            raise Unreadable(f"the member {info.filename} unpacks to too much")
        return memoryview(data)


class _File:
    """What zipfile reads from: a view as a file, without a copy of it."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._at, self._data.nbytes)[whence]
        if base + offset < 0:
            raise ValueError("a place before the start")
        self._at = base + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        end = self._data.nbytes if size is None or size < 0 else self._at + size
        found = bytes(self._data[self._at : end])
        self._at += len(found)
        return found

    def close(self) -> None:
        pass
