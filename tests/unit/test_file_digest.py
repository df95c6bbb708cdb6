"""The digest of a file's bytes: small ones whole, large ones without their holes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from xxhash import xxh3_128_hexdigest

from reprocheck import protocol
from reprocheck.protocol import FILE_BLOCK, file_digest


def sparse(path: Path, size: int, written: dict[int, bytes]) -> str:
    with path.open("wb") as file:
        file.truncate(size)
        for place, data in written.items():
            file.seek(place)
            file.write(data)
    return file_digest(str(path))


def test_a_small_file_counts_byte_by_byte(tmp_path: Path) -> None:
    data = os.urandom(3 * FILE_BLOCK + 17)
    (tmp_path / "a").write_bytes(data)
    assert file_digest(str(tmp_path / "a")) == xxh3_128_hexdigest(data)


def test_a_hole_and_zeros_that_were_written_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "LARGE_FILE", FILE_BLOCK)
    size = 5 * FILE_BLOCK + 3
    hole = sparse(tmp_path / "hole", size, {2 * FILE_BLOCK + 9: b"x"})
    assert hole == sparse(tmp_path / "zeros", size, {0: bytes(size), 2 * FILE_BLOCK + 9: b"x"})
    for other in ({2 * FILE_BLOCK + 9: b"y"}, {2 * FILE_BLOCK + 8: b"x"}, {3 * FILE_BLOCK + 9: b"x"}, {}):
        assert hole != sparse(tmp_path / "other", size, other)
    assert hole != sparse(tmp_path / "longer", size + 1, {2 * FILE_BLOCK + 9: b"x"})


@pytest.mark.skipif(not hasattr(os, "SEEK_DATA"), reason="this system does not tell where the holes of a file are")
def test_the_holes_of_a_file_as_large_as_a_disk_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    pread = os.pread

    def counted(file: int, size: int, place: int) -> bytes:
        reads.append(place)
        return pread(file, size, place)

    monkeypatch.setattr(os, "pread", counted)
    sparse(tmp_path / "disk", 2**40, {2**39: b"x"})
    assert reads == [2**39]
