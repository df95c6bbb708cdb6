"""A signal in every phase of every command: exit code 130, evidence kept, nothing left. No PyTorch in the targets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.functional.test_supervisor import is_gone, wait_until
from tests.support.cli import environment, reprocheck

own_templates = pytest.mark.own_templates

PROGRAM = """\
import os, sys, tempfile, time
tempfile.tempdir = sys.argv.pop(1)
{more}
from reprocheck.__main__ import main
main()
"""
BETWEEN_RUNS = """\
import reprocheck.commands.run.sides
def judge_seed(*args):
    open("ready", "w").close()
    time.sleep(300)
sys.modules["reprocheck.commands.run.sides"].judge_seed = judge_seed
"""
WAITS = """\
import os, time
def train():
    run = os.environ["REPROCHECK_RUN"].split("/")[-1]
    if {when}:
        open({ready!r}, "w").write(str(os.getpid()))
        time.sleep(300)
    return run
"""


def start(folder: Path, *arguments: str, when: str = "True", more: str = "") -> tuple[subprocess.Popen[str], Path]:
    """The command, and its temporary folder. `when`: in which run the target waits for a signal."""
    folder.mkdir(exist_ok=True)
    ready = folder.parent / "ready"
    (folder / "t.py").write_text(WAITS.format(when=when, ready=str(ready)))
    tmp = folder.parent / "tmp"
    tmp.mkdir(exist_ok=True)
    command = [
        sys.executable,
        "-c",
        PROGRAM.format(more=more.replace('"ready"', repr(str(ready)))),
        str(tmp),
        *arguments,
    ]
    if "--against" in arguments:
        for git in (
            ["init", "-q"],
            ["add", "t.py"],
            ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"],
        ):
            subprocess.run(["git", *git], cwd=folder, check=True)
    tool = subprocess.Popen(
        [*command, "t.py:train"],
        cwd=folder, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    if not wait_until(ready.exists):
        tool.kill()
        raise AssertionError(tool.communicate())
    return tool, tmp


def worktrees(folder: Path) -> int:
    done = subprocess.run(["git", "worktree", "list"], cwd=folder, capture_output=True, text=True, check=True)
    return len(done.stdout.splitlines())


@pytest.mark.parametrize(
    ("arguments", "when", "number", "more"),
    [
        pytest.param(["run"], "False", signal.SIGHUP, BETWEEN_RUNS, id="between-runs"),
        pytest.param(["run"], "run[0] == 'x'", signal.SIGTERM, "", id="explanation", marks=pytest.mark.slow),
        pytest.param(
            ["run", "--against", "HEAD"], "run[0] == 'b'", signal.SIGHUP, "", id="against", marks=pytest.mark.slow
        ),
        *(
            pytest.param(arguments, "True", number, "", id=arguments[0], marks=pytest.mark.slow)
            for arguments, number in (
                (["vary"], signal.SIGHUP),
                (["cost"], signal.SIGINT),
                (["resume"], signal.SIGTERM),
                (["doctor"], signal.SIGHUP),
                (["params"], signal.SIGINT),
            )
        ),
    ],
)
@own_templates
def test_a_signal_ends_a_command(tmp_path: Path, arguments: list[str], when: str, number: int, more: str) -> None:
    folder = tmp_path / "work"
    tool, tmp = start(folder, *arguments, when=when, more=more)
    below = psutil.Process(tool.pid).children(recursive=True)
    tool.send_signal(number)
    tool.send_signal(number)  # a second one must not cut off the clearing up
    out, err = tool.communicate(timeout=60)
    assert tool.returncode == 130, out + err
    assert "Traceback" not in err
    assert "the evidence so far is in .reprocheck/" in err
    assert wait_until(lambda: all(is_gone(one.pid) for one in below))
    assert list(tmp.iterdir()) == []
    kept = [path for path in (folder / ".reprocheck").glob("*/*/*") if path.is_dir()]
    assert kept
    assert not list((folder / ".reprocheck").glob("*/*/running"))
    if "--against" in arguments:
        assert worktrees(folder) == 1


@pytest.mark.slow
@own_templates
def test_what_a_killed_tool_left_behind_is_cleared(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    tool, tmp = start(folder, "run", "--against", "HEAD", when="run[0] == 'b'")
    tool.kill()
    tool.communicate()
    assert list(tmp.iterdir())
    assert worktrees(folder) == 2
    (left,) = (folder / ".reprocheck" / "audits").iterdir()
    mine = tmp / "reprocheck-of-somebody"  # without the mark of a tool: not ours to judge
    mine.mkdir()
    (folder / "t.py").write_text("def train():\n    return 1\n")
    program = [sys.executable, "-c", PROGRAM.format(more=""), str(tmp)]
    done = subprocess.run([*program, "run", "-qq", "t.py:train"], cwd=folder, env=environment(), timeout=120)
    assert done.returncode == 0
    assert list(tmp.iterdir()) == [mine]
    assert worktrees(folder) == 1
    assert not left.exists()


@pytest.mark.slow
def test_an_audit_under_way_is_not_pruned(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    tool, _ = start(folder, "run", "--repeats", "2", when="True")
    try:
        (under_way,) = (folder / ".reprocheck" / "audits").iterdir()
        (folder / "u.py").write_text("def train():\n    return 1\n")
        for _ in range(2):
            assert reprocheck("run", "-qq", "--keep", "1", "u.py:train", cwd=folder).code == 0
        assert (under_way / "s0r0").is_dir()
        assert len(list((folder / ".reprocheck" / "audits").iterdir())) == 2
    finally:
        tool.terminate()
        tool.communicate()


@pytest.mark.slow
def test_eight_audits_at_once_in_one_folder(tmp_path: Path) -> None:
    (tmp_path / "u.py").write_text("def train():\n    return 1\n")
    command = [sys.executable, "-m", "reprocheck", "run", "--keep", "1", "--format", "json", "-q", "u.py:train"]
    tools = [
        subprocess.Popen(command, cwd=tmp_path, env=environment(), text=True, stdout=subprocess.PIPE) for _ in range(8)
    ]
    for tool in tools:
        tool.communicate(timeout=200)
    assert [tool.returncode for tool in tools] == [0] * 8
    left = os.listdir(tmp_path / ".reprocheck" / "audits")
    assert left
    assert not [name for name in left if name.startswith(".")]
