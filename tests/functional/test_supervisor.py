"""What a target starts, stops or hides ends with its run; and a run ends with the tool that started it. No PyTorch."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.cli import environment, reprocheck

pytestmark = [
    pytest.mark.own_templates,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a subreaper"),
]

HIDES = """\
import os, subprocess, sys
code = '''
import os, time
if os.fork():
    os._exit(0)
os.setsid()
open(%r, 'w').write(str(os.getpid()))
time.sleep(300)
'''
def train(name="hidden"):
    subprocess.run([sys.executable, "-c", code % os.path.abspath(name)], env={}, start_new_session=True)
    while not os.path.exists(name) or not open(name).read():
        pass
    return 1
"""
GOES_ON = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + HIDES.replace(
    "    return 1\n", "    open('ready', 'w').close()\n    time.sleep(300)\n"
)


def is_gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.parametrize("isolation", ["process", pytest.param("template", marks=pytest.mark.slow)])
def test_a_grandchild_that_hides_ends_with_its_run(tmp_path: Path, isolation: str) -> None:
    (tmp_path / "t.py").write_text(HIDES)
    ran = reprocheck("run", "--isolation", isolation, "t.py:train", cwd=tmp_path)
    assert ran.code == 0, ran.out + ran.err
    assert wait_until(lambda: is_gone(int((tmp_path / "hidden").read_text())))


@pytest.mark.parametrize("isolation", ["process", pytest.param("template", marks=pytest.mark.slow)])
def test_no_run_outlives_a_tool_that_was_killed(tmp_path: Path, isolation: str) -> None:
    (tmp_path / "t.py").write_text(GOES_ON)
    command = [sys.executable, "-m", "reprocheck", "run", "-qq", "--isolation", isolation, "t.py:train"]
    tool = subprocess.Popen(command, cwd=tmp_path, env=environment())
    try:
        assert wait_until((tmp_path / "ready").exists)
        below = psutil.Process(tool.pid).children(recursive=True)
    finally:
        tool.kill()
        tool.wait()
    hidden = int((tmp_path / "hidden").read_text())
    assert wait_until(lambda: is_gone(hidden) and all(is_gone(one.pid) for one in below))


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["process", "template"])
def test_a_target_that_stops_its_parents_does_not_hang_the_audit(tmp_path: Path, isolation: str) -> None:
    (tmp_path / "t.py").write_text(
        "import os, signal\n"
        "def train():\n"
        "    parent = os.getppid()\n"
        "    above = int(open(f'/proc/{parent}/stat').read().rpartition(')')[2].split()[1])\n"
        "    name = open(f'/proc/{above}/cmdline').read()\n"
        "    for pid in [parent] + [above] * ('--template' in name):\n"
        "        os.kill(pid, signal.SIGSTOP)\n"
        "    return 1\n"
    )
    ran = reprocheck("run", "--isolation", isolation, "t.py:train", cwd=tmp_path, timeout=120)
    assert ran.code == 0, ran.out + ran.err


def test_a_run_that_stops_itself_is_ended(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("import os, signal\ndef train():\n    os.kill(os.getpid(), signal.SIGSTOP)\n")
    ran = reprocheck("run", "--repeats", "1", "--isolation", "process", "t.py:train", cwd=tmp_path, timeout=120)
    assert ran.code == 3
    assert "SIGSTOP" in ran.out


@pytest.mark.slow
def test_a_run_that_kills_its_parent_has_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("import os, signal\ndef train():\n    os.kill(os.getppid(), signal.SIGKILL)\n")
    ran = reprocheck("run", "--isolation", "process", "t.py:train", cwd=tmp_path, timeout=120)
    assert ran.code == 3
    assert "SIGKILL" in ran.out
