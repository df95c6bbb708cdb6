"""Files that a run wrote and a later one reads, by real paths; a home folder of a run's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reprocheck.diagnosis.leftovers import leftovers, reads_what_was_written, written_by
from reprocheck.engine.plan import Planner, home_of, in_home
from reprocheck.engine.workdir import make_home
from reprocheck.model import Evidence, FileRecord, Home, Location, Request, Target, TargetKind
from reprocheck.model.explanation import LedgerEntry
from reprocheck.protocol import decode_spec, encode_spec

LINE = Location(path="/w/train.py", line=3)


def run(cwd: Path, *wrote: str, reads: tuple[str, ...] = (), tmp: Path | None = None) -> Evidence:
    files = tuple(FileRecord(path=path, size=1, digest="0" * 32) for path in wrote)
    ambient = SimpleNamespace(own_tmpdir=tmp is not None)
    spec = SimpleNamespace(cwd=cwd, ambient=ambient, environment={"TMPDIR": str(tmp)})
    return cast(Evidence, SimpleNamespace(spec=spec, files=files, reads=reads))


def entry(kind: str, value: str, generator: str = "") -> LedgerEntry:
    return LedgerEntry(kind=kind, name="open", value=value, generator=generator, location=LINE)


def test_a_path_outside_of_the_folder_is_the_same_in_every_spelling(tmp_path: Path) -> None:
    folder, home = tmp_path / "w", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    (tmp_path / "link").symlink_to(home)
    for written in ("../home/cache.pt", str(home / "cache.pt"), str(tmp_path / "link/cache.pt")):
        (found,) = leftovers([entry("read", str(tmp_path / "link" / "cache.pt"))], run(folder, written))
        assert (found.path, found.location, found.is_outside) == (str(home / "cache.pt"), LINE, True)


def test_a_home_in_the_folder_is_not_kept_away_by_a_copy_of_the_folder(tmp_path: Path) -> None:
    one = run(tmp_path, "home/.cache/a.pt", "b.pt")
    one.spec.environment["HOME"] = str(tmp_path / "home")  # type: ignore[index]
    found = leftovers([entry("read", str(tmp_path / "home/.cache/a.pt")), entry("read", "b.pt")], one)
    assert [(Path(each.path).name, each.is_outside) for each in found] == [("a.pt", True), ("b.pt", False)]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([entry("read", "a.pt")], True),
        ([entry("probe", "a.pt", "absent")], True),
        ([entry("read", "a.pt", "own")], False),
        ([entry("write", "a.pt")], False),
        ([entry("write", "log.txt", "append")], True),
        ([entry("listing", ".")], True),
        ([entry("listing", "*.pt")], True),
        ([entry("listing", "*.csv"), entry("read", "b.pt")], False),
        ([entry("read", "data")], False),
    ],
)
def test_only_what_a_run_looks_at_counts(tmp_path: Path, entries: list[LedgerEntry], expected: bool) -> None:
    assert reads_what_was_written(entries, run(tmp_path, "a.pt")) is expected


def test_nothing_in_the_temporary_directory_of_one_run_is_left_over(tmp_path: Path) -> None:
    folder, tmp = tmp_path / "w", tmp_path / "tmp"
    written = str(tmp / "cache.pt")
    assert leftovers([entry("read", written)], run(folder, written, tmp=tmp)) == ()
    assert len(leftovers([entry("read", written)], run(folder, written))) == 1


def test_a_file_named_by_the_temporary_directory_lies_there(tmp_path: Path) -> None:
    """As torch_geometric writes a module for every layer: nothing that a further run could harm."""
    folder, tmp = tmp_path / "w", tmp_path / "tmp"
    assert written_by(run(folder, "/$TMPDIR/layer.py", "a.pt", tmp=tmp)) == (str(folder / "a.pt"),)
    shared = run(folder, "/$TMPDIR/layer.py")
    shared.spec.environment["TMPDIR"] = str(tmp)
    assert written_by(shared) == (str(tmp / "layer.py"),)


def test_plain_runs_tell_what_they_read_without_a_ledger(tmp_path: Path) -> None:
    a, b = run(tmp_path, "a.pt"), run(tmp_path, reads=(str(tmp_path / "a.pt"),))
    (found,) = leftovers([], a, b)
    assert (found.path, found.location, found.is_outside) == (str(tmp_path / "a.pt"), None, False)


def test_a_home_of_its_own_holds_everything_but_what_runs_wrote(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in (".cache/mine/data.pt", ".cache/torch/kept.bin", ".config/app", "data/x.npy"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(name)
    made = Home(source=home, at=tmp_path / "own", without=(home / ".cache/mine/data.pt", home / ".cache/gone"))
    make_home(made)
    assert (made.at / ".cache/torch/kept.bin").read_text() == ".cache/torch/kept.bin"
    assert (made.at / "data").is_symlink()
    assert (made.at / ".config/app").exists()
    assert not (made.at / ".cache/mine").exists()
    (made.at / ".cache/mine").mkdir()
    (made.at / ".cache/mine/data.pt").write_text("another")
    assert (home / ".cache/mine/data.pt").read_text() == ".cache/mine/data.pt"


def test_variables_that_lead_to_what_is_left_out_lead_into_the_home_of_the_run(tmp_path: Path) -> None:
    environ = {
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / ".cache"),
        "HF_HOME": str(tmp_path / "hf"),
        "PATH": f"{tmp_path}/bin:/bin",
    }
    home = home_of(environ, Path("/own"), [str(tmp_path / ".cache/a"), "/elsewhere/b"])
    assert home == Home(source=tmp_path, at=Path("/own"), without=(tmp_path / ".cache/a",))
    assert in_home(environ, home) == {**environ, "HOME": "/own", "XDG_CACHE_HOME": "/own/.cache"}


def test_a_run_with_a_home_of_its_own_is_planned_and_travels(tmp_path: Path) -> None:
    target = Target(text="t.py", kind=TargetKind.SCRIPT, path=Path("/w/t.py"))
    planner = Planner(
        request=Request(target=target),
        environ={"HOME": str(tmp_path)},
        cwd=Path("/w"),
        directory=Path("/e/audit"),
        tmp=Path("/tmp/r"),
    )
    spec = planner.spec("x01", 0, 0, planner.ambient(0), home_without=[str(tmp_path / "a")])
    assert spec.environment["HOME"] == "/tmp/r/x01/home"
    assert decode_spec(encode_spec(spec)).home == spec.home
    plain: Any = planner.spec("x02", 0, 0, planner.ambient(0))
    assert (plain.home, plain.environment["HOME"]) == (None, str(tmp_path))
    assert replace(plain, home=spec.home) != plain
