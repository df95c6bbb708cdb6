"""Runs that hang, vanish or are interrupted: the answer, and what is left behind. Targets need PyTorch only where
steps are counted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import Ran, environment, reprocheck

own_templates = pytest.mark.own_templates

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")

HANGS = """\
import os, subprocess, sys, time
child = "import time; open('grandchild', 'w').close(); time.sleep(300)"
def train():
    subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    while not os.path.exists("grandchild"):
        time.sleep(0.02)
    open("ready", "w").close()
    time.sleep(300)
"""
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + HANGS
TRAIN = """\
import torch
def train(deaf=False, steps=6):
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(steps):
        try:
            optimizer.zero_grad()
            model(torch.randn(4, 2)).square().mean().backward()
            optimizer.step()
        except BaseException:
            if not deaf:
                raise
    return model.weight
"""


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment by which every process that a test starts can be found; none outlives the test."""
    yield environment(TEST_MARK=str(tmp_path))
    for pid in alive(tmp_path):
        os.kill(pid, signal.SIGKILL)


def alive(tmp_path: Path) -> list[int]:
    mark = f"TEST_MARK={tmp_path}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def none_left(tmp_path: Path) -> bool:
    """A process that was killed may take a moment to go."""
    end = time.monotonic() + 5
    while alive(tmp_path) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(tmp_path)


def run(folder: Path, source: str, *arguments: str, env: dict[str, str] | None = None) -> Ran:
    (folder / "t.py").write_text(source)
    return reprocheck("run", "--ambient", "fixed", *arguments, "t.py:train", cwd=folder, env=env)


@linux
@pytest.mark.parametrize("source", [HANGS, pytest.param(DEAF, marks=pytest.mark.slow)], ids=["hangs", "deaf"])
@own_templates
def test_a_run_that_hangs_is_ended_with_all_it_started(tmp_path: Path, marked: dict[str, str], source: str) -> None:
    started = time.monotonic()
    ran = run(tmp_path, source, "--timeout", "6", "--jobs", "2", env=marked)
    assert ran.code == 3
    assert "still running after 6 s (--timeout)" in ran.out
    assert (tmp_path / "grandchild").exists()
    assert none_left(tmp_path)
    assert time.monotonic() - started < 30


@linux
@pytest.mark.slow
@own_templates
def test_what_a_finished_run_leaves_running_is_ended(tmp_path: Path, marked: dict[str, str]) -> None:
    ran = run(tmp_path, HANGS.replace("    time.sleep(300)\n", "    return 1\n"), env=marked)
    assert ran.code == 0, ran.out + ran.err
    assert none_left(tmp_path)


def test_a_run_that_leaves_without_a_word(tmp_path: Path) -> None:
    ran = run(tmp_path, "import os\ndef train():\n    os._exit(0)\n")
    assert ran.code == 3
    assert "exited with status 0 without closing its evidence" in ran.out


@pytest.mark.parametrize("name", ["SIGKILL", pytest.param("SIGSEGV", marks=pytest.mark.slow)])
def test_a_run_that_is_killed_names_the_signal(tmp_path: Path, name: str) -> None:
    ran = run(tmp_path, f"import os, signal\ndef train():\n    os.kill(os.getpid(), signal.{name})\n")
    assert ran.code == 3
    assert f"ended by {name}" in ran.out


@pytest.mark.slow
def test_one_run_that_is_killed_is_enough_for_no_verdict(tmp_path: Path) -> None:
    source = (
        "import os, signal\ndef train():\n"
        "    if os.path.exists('first'):\n        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    open('first', 'w').close()\n    return 1\n"
    )
    ran = run(tmp_path, source)
    assert ran.code == 3
    assert "SIGKILL" in ran.out


@linux
@pytest.mark.parametrize(("number", "jobs"), [(signal.SIGINT, "1"), (signal.SIGTERM, "2")])
@own_templates
def test_an_interrupt_ends_everything(
    tmp_path: Path, marked: dict[str, str], number: signal.Signals, jobs: str
) -> None:
    (tmp_path / "t.py").write_text(HANGS)
    command = [sys.executable, "-m", "reprocheck", "run", "--jobs", jobs, "t.py:train"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=marked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 60
    while not (tmp_path / "ready").exists() and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    assert none_left(tmp_path)
    (folder,) = (tmp_path / ".reprocheck" / "audits").iterdir()
    assert f"the evidence so far is in .reprocheck/audits/{folder.name}" in err
    assert (folder / "s0r0" / "spec.json").is_file()
    assert out == ""


@pytest.mark.slow
def test_the_temporary_folders_of_runs_are_removed(tmp_path: Path) -> None:
    tmp = tmp_path / "tmp"
    tmp.mkdir()
    (tmp_path / "t.py").write_text("import tempfile\ndef train():\n    tempfile.mkdtemp()\n    return 1\n")
    # TMPDIR in the environment would pin the factor, and runs would get no folder of their own.
    program = f"import tempfile; tempfile.tempdir = {str(tmp)!r}\nfrom reprocheck.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "run", "t.py:train"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp.iterdir()) == []


@pytest.mark.slow
def test_max_steps_ends_runs_cleanly(tmp_path: Path) -> None:
    ran = run(tmp_path, TRAIN, "--max-steps", "2", "--threads", "1", "--jobs", "2")
    assert ran.code == 0, ran.out + ran.err
    assert "stopped after step 2" in ran.out
    assert "--max-steps" in ran.out


@pytest.mark.slow
def test_max_steps_ends_runs_that_swallow_every_exception(tmp_path: Path) -> None:
    arguments = ["--max-steps", "2", "--threads", "1", "--format", "json", "--timeout", "120", "--arg", "deaf=True"]
    ran = run(tmp_path, TRAIN, *arguments, "--arg", "steps=1000000")
    assert ran.code == 0, ran.out + ran.err
    for one in ran.json()["seeds"][0]["runs"]:
        assert (one["status"], one["stopped_at"], one["steps"]["count"]) == ("completed", 2, 2)


@pytest.mark.slow
def test_progress_counts_the_steps_that_the_report_counts(tmp_path: Path) -> None:
    """What is observed after the last step is a record, but no step."""
    source = TRAIN.replace("    return", "    model(torch.ones(1, 2))\n    return")
    ran = run(tmp_path, source, "--threads", "1", "--jobs", "2", "--format", "json")
    assert ran.json()["seeds"][0]["runs"][0]["steps"]["count"] == 6
    assert "6 steps" in ran.err


@pytest.mark.slow
def test_jobs_do_not_change_the_answer(tmp_path: Path) -> None:
    answers = []
    for jobs in ("1", "2"):
        (tmp_path / "t.py").write_text(TRAIN)
        arguments = ["--seeds", "2", "--jobs", jobs, "--threads", "1", "--format", "json", "t.py:train"]
        answer = reprocheck("run", *arguments, cwd=tmp_path).json()
        answer.pop("volatile")
        answer["asked"].pop("jobs")
        answers.append(answer)
    assert answers[0]["verdict"] == "reproducible"
    assert answers[0] == answers[1]


QUICK = "import os\ndef train():\n    return sorted(os.listdir())\n"


@pytest.mark.slow
def test_jobs_keep_the_order_of_runs(tmp_path: Path) -> None:
    ran = run(tmp_path, "def train(seed):\n    return seed\n", "--jobs", "3", "--seeds", "3", "--format", "json")
    assert ran.code == 0, ran.out + ran.err
    assert [one["id"] for seed in ran.json()["seeds"] for one in seed["runs"]] == [
        f"s{seed}r{repeat}" for seed in range(3) for repeat in range(2)
    ]


@pytest.mark.slow
def test_keep_one_leaves_the_newest_audit(tmp_path: Path) -> None:
    first, second = (run(tmp_path, QUICK, "--keep", "1", "--format", "json").json() for _ in range(2))
    left = list((tmp_path / ".reprocheck" / "audits").iterdir())
    assert [str(folder) for folder in left] == [second["volatile"]["directory"]]
    assert first["volatile"]["directory"] != second["volatile"]["directory"]


@pytest.mark.slow
def test_git_ignores_the_evidence(tmp_path: Path) -> None:
    run(tmp_path, QUICK)
    assert (tmp_path / ".reprocheck" / ".gitignore").read_text() == "*\n"


LISTS = """\
import glob, os, pathlib
def train():
    names = set(os.listdir()) | {e.name for e in os.scandir()} | {p.name for p in pathlib.Path().iterdir()}
    for top, folders, files in os.walk("."):
        names |= {*folders, *files}
    names |= set(glob.glob("*")) | set(glob.glob(".*"))
    open("../seen", "w").write("\\n".join(sorted(names)))
    return 1
"""


@pytest.mark.parametrize("evidence", [".reprocheck", "kept"])
def test_the_target_does_not_see_the_evidence(tmp_path: Path, evidence: str) -> None:
    work = tmp_path / "work"
    work.mkdir()
    ran = run(work, LISTS, "--evidence", evidence)
    assert ran.code == 0, ran.out + ran.err
    names = set((tmp_path / "seen").read_text().split("\n"))
    assert "t.py" in names
    assert evidence not in names


@pytest.mark.slow
@linux
@own_templates
def test_a_child_that_hides_its_session_and_its_environment_is_ended(tmp_path: Path) -> None:
    (tmp_path / "hides.py").write_text(
        "import subprocess, time\n"
        "def train():\n"
        "    child = subprocess.Popen(['sleep', '300'], env={}, start_new_session=True)\n"
        "    open('child', 'w').write(str(child.pid))\n"
        "    time.sleep(300)\n"
    )
    ran = reprocheck("run", "--timeout", "3", "--repeats", "1", "hides.py:train", cwd=tmp_path)
    assert ran.code == 3
    pid = int((tmp_path / "child").read_text())
    status = Path(f"/proc/{pid}/status")
    gone = not status.exists() or "State:\tZ" in status.read_text()
    if not gone:
        os.kill(pid, signal.SIGKILL)
    assert gone


CLOSES = """\
import os, torch
def train():
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    mine = []
    for step in range(3):
        if step == 1:
            os.closerange(3, 256)
            for number in range(12):
                mine.append(open(f"mine{number}.txt", "w"))
                mine[-1].write("mine")
                mine[-1].flush()
        optimizer.zero_grad()
        model(torch.randn(4, 2)).square().mean().backward()
        optimizer.step()
    return model
"""


@own_templates
def test_a_target_that_closes_every_descriptor_gets_none_of_our_records_in_its_files(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(CLOSES)
    assert reprocheck("run", "t.py:train", cwd=tmp_path).code == 0
    assert {path.read_text() for path in tmp_path.glob("mine*.txt")} == {"mine"}
