"""Copies of the folder: what is left out, and what is linked where it is known what runs touch."""

from __future__ import annotations

from pathlib import Path

import pytest

from reprocheck.engine import workdir
from reprocheck.engine.workdir import copy_folder, in_world, leave_out
from reprocheck.model import Known


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = ("proj/train.py", "proj/.git/x", "proj/any/pyvenv.cfg", "proj/any/lib/y", "proj/data/a", "proj/out/old.pt")
    for name in (*files, "data/z", "proj/lib/mod.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path / "proj"


def test_folders_of_tools_and_environments_are_not_copied(folder: Path, tmp_path: Path) -> None:
    copy_folder(folder, tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["data", "lib", "out", "train.py"]


def test_what_lies_above_the_folder_is_linked_where_the_same_path_leads(folder: Path, tmp_path: Path) -> None:
    copy = in_world(folder, tmp_path / "world")
    copy_folder(folder, copy, Known(reads=(str(tmp_path / "data/z"), "/etc/hostname", str(tmp_path))))
    assert (copy / "../data/z").read_text() == "data/z"
    assert (copy / "../data").is_symlink()
    assert not (tmp_path / "world/etc").exists()


def test_of_a_large_folder_only_what_runs_write_and_their_code_is_copied(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workdir, "COPIED_FILES", 2)
    known = Known(
        writes=(str(folder / "out/new.pt"), str(folder / "out/old.pt")),
        sources=(str(folder / "train.py"), str(folder / "lib/mod.py")),
    )
    copy = in_world(folder, tmp_path / "world")
    copy_folder(folder, copy, known)
    assert {path.name: path.is_symlink() for path in copy.iterdir()} == {
        "train.py": False,
        "data": True,
        "out": False,
        "lib": False,
    }
    (copy / "out/old.pt").write_text("another")
    (copy / "out/new.pt").write_text("another")
    assert (folder / "out/old.pt").read_text() == "proj/out/old.pt"
    assert not (folder / "out/new.pt").exists()
    assert (copy / "lib/mod.py").resolve() == (copy / "lib/mod.py")


def test_what_is_left_out_of_a_copy_is_never_taken_from_where_a_link_leads(tmp_path: Path) -> None:
    elsewhere, copy = tmp_path / "elsewhere", tmp_path / "copy"
    elsewhere.mkdir()
    (copy / "own").mkdir(parents=True)
    (elsewhere / "kept.pt").write_text("kept")
    (copy / "own" / "left.pt").write_text("left")
    (copy / "linked").symlink_to(elsewhere)
    leave_out(copy, ["linked/kept.pt", "own/left.pt", "absent.pt", "../elsewhere/kept.pt"])
    assert (elsewhere / "kept.pt").exists()
    assert not (copy / "own" / "left.pt").exists()


def test_what_git_ignores_is_linked_but_where_runs_write(folder: Path, tmp_path: Path) -> None:
    (folder / ".gitignore").write_text("/data\n*.pt\nlogs/\n")
    for name in ("logs/old.txt", "logs/deep/x", "data/b", "out/notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    copy = in_world(folder, tmp_path / "world")
    copy_folder(folder, copy, Known(writes=(str(folder / "logs/new.txt"),)))
    assert (copy / "data").is_symlink()
    assert (copy / "out/old.pt").is_symlink()
    assert not (copy / "out").is_symlink()
    assert not (copy / "logs").is_symlink()
    (copy / "logs/new.txt").write_text("new")
    assert not (folder / "logs/new.txt").exists()
    assert (copy / "train.py").read_text() == (folder / "train.py").read_text()
    assert not (copy / "train.py").is_symlink()


def test_a_copy_that_a_user_asks_for_links_nothing(folder: Path, tmp_path: Path) -> None:
    (folder / ".gitignore").write_text("/data\n")
    copy_folder(folder, tmp_path / "copy")
    (tmp_path / "copy/data/a").write_text("another")
    assert (folder / "data/a").read_text() == "proj/data/a"


def test_nothing_is_written_through_a_link_of_the_folder(folder: Path, tmp_path: Path) -> None:
    (folder / "latest").symlink_to(folder / "out")
    (folder / "best.pt").symlink_to(folder / "out/old.pt")
    (folder / "elsewhere").symlink_to(tmp_path / "data")
    for known, place in ((None, tmp_path / "copy"), (Known(), in_world(folder, tmp_path / "world"))):
        copy_folder(folder, place, known)
        (place / "latest/old.pt").write_text("another")
        (place / "best.pt").write_text("another")
        assert (place / "elsewhere/z").read_text() == "data/z"
    assert (folder / "out/old.pt").read_text() == "proj/out/old.pt"
