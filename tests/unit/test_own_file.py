"""Files of ours in the process of a target: nothing of ours goes into a file of the target's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reprocheck.worker.inputs.own_file import OwnFile, append


@contextmanager
def taken_over(file: OwnFile, other: Path) -> Iterator[None]:
    """The target closed the descriptor and has the number for a file of its own."""
    number = file._number
    os.close(number)
    opened = os.open(other, os.O_RDWR | os.O_CREAT)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
    yield
    assert os.fstat(number).st_ino == other.stat().st_ino, "the descriptor of the target was closed"
    os.close(number)


def test_a_file_goes_on_where_its_descriptor_was_taken_over(tmp_path: Path) -> None:
    file = OwnFile(tmp_path / "ours")
    file.write(b"one")
    with taken_over(file, tmp_path / "theirs"):
        file.write(b"two")
    assert (tmp_path / "ours").read_bytes() == b"onetwo"
    assert (tmp_path / "theirs").read_bytes() == b""


@pytest.mark.parametrize("kind", ["gone", "another", "link", "pipe", "cut"])
def test_a_file_that_is_not_there_any_more_is_given_up(tmp_path: Path, kind: str) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    file = OwnFile(ours)
    file.write(b"one")
    with taken_over(file, theirs):
        if kind == "cut":
            ours.write_bytes(b"")
        else:
            ours.unlink()
        if kind == "another":  # it may even get the inode
            ours.write_bytes(b"")
        elif kind == "link":
            ours.symlink_to(theirs)
        elif kind == "pipe":
            os.mkfifo(ours)
        with pytest.raises(OSError, match="the target closed"):
            file.write(b"two")
    assert theirs.read_bytes() == b""


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    OwnFile(tmp_path / "ours")
    append(str(tmp_path / "lines"), b"x")
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("ours", "lines")} == {0o600}


def test_lines_never_follow_a_link_or_wait_for_a_reader(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(OSError, match=name):
            append(str(tmp_path / name), b"x")
    assert (tmp_path / "theirs").read_bytes() == b""
