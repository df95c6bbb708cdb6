"""What is told of child processes, by the marks that they left; which programs of a target are its own code."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reprocheck.compare.verdict import unique
from reprocheck.evidence.children import children_of
from reprocheck.protocol.child_marks import (
    AGAIN,
    CHILDREN_FILE,
    LATE,
    LATE_FILE,
    MAPPED,
    STARTED,
    TRAINED,
    WROTE,
    mark,
    rank_in,
)
from reprocheck.worker.inputs.files import WrittenFiles
from reprocheck.worker.inputs.programs import files_at, paths_named, runs_python
from reprocheck.worker.observe.children import Children


@pytest.mark.parametrize(
    ("ranks", "text"),
    [
        ([1], "1 child process that used torch (rank 1)"),
        ([1, 3], "2 child processes that used torch (ranks 1 and 3)"),
        ([1, 2, 3], "3 child processes that used torch (ranks 1 to 3)"),
        ([0, 2, 3], "3 child processes that used torch (ranks 0, 2 and 3)"),
        ([0, 0], "2 child processes that used torch (rank 0)"),
        ([0, None], "2 child processes that used torch"),
        ([None], "1 child process that used torch"),
    ],
)
def test_ranks_are_named_where_all_are_known(ranks: list[int | None], text: str, tmp_path: Path) -> None:
    for pid, rank in enumerate(ranks, 100):
        mark(str(tmp_path / CHILDREN_FILE), pid, TRAINED if pid % 2 else MAPPED, rank)
    [shown] = children_of(tmp_path)
    assert (shown.what, shown.is_result) == (text, True)
    assert unique([replace(shown, what="1 child process that used torch"), shown])[-1] == shown


def test_a_rank_stands_in_the_environment() -> None:
    assert rank_in({"RANK": "3", "LOCAL_RANK": "1"}) == 3
    assert rank_in({"RANK": "x", "LOCAL_RANK": "1"}) == 1
    assert rank_in({}) is None


def test_a_damaged_rank_is_none(tmp_path: Path) -> None:
    (tmp_path / CHILDREN_FILE).write_text('{"pid": 1, "how": "trained", "rank": "1"}\n{"pid": 2, "how": "trained"}\n')
    [shown] = children_of(tmp_path)
    assert shown.what == "2 child processes that used torch"


def results(folder: Path, *marks: tuple[int, str]) -> list[str]:
    for pid, how in marks:
        mark(str(folder / CHILDREN_FILE), pid, how)
    return [item.what for item in children_of(folder) if item.is_result]


def test_programs_are_reported_unless_torch_was_found_in_them(tmp_path: Path) -> None:
    found = results(tmp_path, (-1, STARTED), (-2, STARTED), (7, MAPPED))
    assert found == ["1 child process that used torch", "1 child process that ran Python"]


def test_files_of_forked_children(tmp_path: Path) -> None:
    assert results(tmp_path, (7, WROTE), (8, WROTE)) == ["2 child processes that wrote files outside of the folder"]
    assert results(tmp_path, (7, TRAINED), (8, TRAINED)) == ["2 child processes that used torch"]


def test_what_the_run_itself_does_before_a_new_start_and_after_its_end(tmp_path: Path) -> None:
    assert results(tmp_path, (7, LATE_FILE)) == ["files written outside of the folder after the end"]
    (tmp_path / CHILDREN_FILE).unlink()
    assert results(tmp_path, (7, LATE), (7, AGAIN)) == [
        "training after the end",
        "training before the script started itself again",
    ]


def test_the_run_itself_reports_only_of_trainings_after_its_end(tmp_path: Path) -> None:
    children = Children(tmp_path)
    children.used(TRAINED)
    assert results(tmp_path) == []
    children.is_over = True
    children.used("called")
    assert results(tmp_path) == []
    children.used(TRAINED)
    assert results(tmp_path) == ["training after the end"]


@pytest.mark.parametrize(
    ("event", "args"),
    [
        ("os.system", (b"python3 child.py 1 > /dev/null &",)),
        ("os.system", ("cd x && nohup /usr/bin/python child.py",)),
        ("os.system", ("'/my env/bin/python3.11' -c 'import mine; mine.fit()'",)),
        ("subprocess.Popen", (None, ["python3", "-c", "open('/tmp/x', 'w').write('1')"], None, None)),
        ("subprocess.Popen", ("/usr/bin/python3", ["python3", "-u", "fit.py"], None, None)),
        ("subprocess.Popen", (None, ["sh", "-c", "python fit.py"], None, None)),
        ("subprocess.Popen", ("/bin/sh", "python fit.py", None, None)),
        ("os.posix_spawn", ("/usr/bin/python3", ["python3", Path("fit.py")], {})),
        ("os.exec", ("/usr/bin/python3", ["python3", "-m", "mine.fit"], {})),
    ],
)
def test_programs_of_the_target(event: str, args: tuple[object, ...]) -> None:
    assert runs_python(event, args)


@pytest.mark.parametrize(
    ("event", "args"),
    [
        ("os.system", ("git rev-parse HEAD",)),
        ("os.system", ("python3 --version",)),
        ("subprocess.Popen", ("/usr/bin/python3", ["python3", "-m", "pip", "list"], None, None)),
        ("subprocess.Popen", (None, ["python3", "/x/site-packages/torch/_inductor/w/__main__.py"], None, None)),
        (
            "subprocess.Popen",
            (None, ["python3", "-c", "from multiprocessing.resource_tracker import main"], None, None),
        ),
        ("subprocess.Popen", (None, ["gcc", "-I/usr/include/python3.11", "x.c"], None, None)),
        ("subprocess.Popen", (None, ["python3"], None, None)),
        ("subprocess.Popen", (None, ["python3", "-c", "import torch; print(torch.__version__)"], None, None)),
        ("os.posix_spawn", ("/bin/ls", ["ls"], {})),
    ],
)
def test_programs_of_libraries_and_those_that_only_ask_something(event: str, args: tuple[object, ...]) -> None:
    assert not runs_python(event, args)


def test_a_file_has_the_mode_of_a_private_one(tmp_path: Path) -> None:
    mark(str(tmp_path / CHILDREN_FILE), os.getpid(), TRAINED)
    assert (tmp_path / CHILDREN_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("event", "args", "named"),
    [
        ("os.system", ("echo 1 > /var/out/acc.txt",), ["/var/out/acc.txt"]),
        ("os.system", (b"./evaluate --out=/var/out/a.txt 2>/var/out/err;date",), ["/var/out/a.txt", "/var/out/err"]),
        ("os.system", ("tar -C '/var/my' -xf a.tar",), ["/var/my"]),
        ("os.system", ("curl https://host/path file:///x s3://b/c ./a/b a/b",), []),
        ("subprocess.Popen", (None, ["sh", "-c", "date > /var/out/x"], None, None), ["/var/out/x"]),
        ("subprocess.Popen", (None, ["/usr/bin/tool", "/var/a,/var/b"], None, None), ["/var/a", "/var/b"]),
        ("subprocess.Popen", ("/usr/bin/tool", ["tool", "--dir=/var/d"], "/srv/w", None), ["/srv/w", "/var/d"]),
        ("subprocess.Popen", (None, ["tool", "~/out"], None, None), ["/home/me/out"]),
        ("os.posix_spawn", ("/usr/bin/tool", ["tool", b"/var/a"], {}), ["/var/a"]),
        ("os.exec", ("/bin/sh", ["sh", "-c", "exit"], {}), []),
        ("os.system", ("date > $HOME/a; date > ${NOTHING}/b",), ["/home/me/a"]),
    ],
)
def test_whole_paths_in_a_command_line(
    event: str, args: tuple[Any, ...], named: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("NOTHING", raising=False)
    assert list(paths_named(event, args)) == named


def test_what_a_program_wrote_elsewhere_is_a_file_of_the_run(tmp_path: Path) -> None:
    """Whole paths and folders on its command line; what is older is not, nor what nobody named."""
    cwd, out, other = (tmp_path / name for name in ("cwd", "out", "other"))
    for folder in (cwd, out, other):
        folder.mkdir()
    (out / "old").write_text("old")
    os.utime(out / "old")
    time.sleep(0.05)
    written = WrittenFiles((), cwd, Children(tmp_path))
    written._on_event("os.system", (f"evaluate --to={out} > {other}/acc.txt",))
    for path in (out / "a.txt", out / "deep" / "b.txt", other / "acc.txt", other / "unnamed.txt"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("1")
    found = written.found(cwd, read_checkpoints=False)["files"]
    assert [str(Path(file["path"]).relative_to(tmp_path)) for file in found] == [
        "other/acc.txt",
        "out/a.txt",
        "out/deep/b.txt",
    ]


def test_a_folder_above_all_is_not_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "sub").mkdir(parents=True)
    (tmp_path / "home" / "sub" / "f").write_text("")
    for folder in ("/", "/usr", str(tmp_path), str(tmp_path / "home"), "/var/tmp"):
        assert list(files_at(folder, f"{tmp_path}/cwd/")) == []
    assert [Path(path).name for path in files_at(str(tmp_path / "home" / "sub"), f"{tmp_path}/cwd/")] == ["f"]


def test_a_file_elsewhere_that_is_opened_after_the_end(tmp_path: Path) -> None:
    """Once the evidence is closed; in the folder a scan finds it."""
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    children = Children(tmp_path)
    written = WrittenFiles((), cwd, children)
    written.found(cwd, read_checkpoints=False)
    written._on_event("open", (str(tmp_path / "early"), "w", os.O_WRONLY))
    children.is_over = True
    written._on_event("open", (str(cwd / "here"), "w", os.O_WRONLY))
    written._on_event("open", (str(tmp_path / "read"), "r", os.O_RDONLY))
    assert children_of(tmp_path) == ()
    written._on_event("open", (str(tmp_path / "late"), "w", os.O_WRONLY))
    assert [item.what for item in children_of(tmp_path)] == ["files written outside of the folder after the end"]
