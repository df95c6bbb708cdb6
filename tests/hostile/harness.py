"""Audits each target in a folder of its own, and looks at what came of it and at what is left."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

from reprocheck.protocol import RUN_VARIABLE
from tests.hostile.table import Hostile
from tests.support.cli import environment

SECONDS = 90.0
"""An audit that takes longer hangs."""
MARK = "HOSTILE_TARGET"
OURS = re.compile(r'File "[^"]*/reprocheck/(?!planted)|a bug in reprocheck|internal error')
KINDS = ("traceback", "hang", "leftover", "false same", "wrong exit", "not said")


@dataclass(frozen=True)
class Result:
    name: str
    code: int | None
    seconds: float
    faults: tuple[str, ...]


def try_all(targets: Sequence[Hostile], folder: Path, jobs: int = 2) -> Iterator[Result]:
    """In order."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda one: try_one(one, folder / one.name), targets)


def counts(results: Sequence[Result]) -> dict[str, int]:
    """How many were tried, and how many have each kind of fault."""
    return {"tried": len(results)} | {
        kind: sum(any(fault.startswith(kind) for fault in one.faults) for one in results) for kind in KINDS
    }


def try_one(target: Hostile, folder: Path) -> Result:
    """Make the audit."""
    work, tmp = folder / "work", folder / "tmp"
    work.mkdir(parents=True)
    tmp.mkdir()
    (work / "t.py").write_text(target.prelude + target.code, encoding="utf-8")
    program = f"import tempfile; tempfile.tempdir = {str(tmp)!r}\nfrom reprocheck.__main__ import main; main()"
    started = time.monotonic()
    tool = subprocess.Popen(
        [sys.executable, "-c", program, "run", "--no-explain", "-qv", "--threads", "1", *target.options, target.what],
        cwd=work, env=environment(**{MARK: str(folder)}), start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="backslashreplace",
    )  # fmt: skip
    faults = []
    try:
        output, _ = tool.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        faults.append("hang")
        os.killpg(tool.pid, signal.SIGKILL)
        output, _ = tool.communicate()
    seconds = time.monotonic() - started
    faults += judge(target, tool.returncode, output) if not faults else []
    faults += [f"leftover process {left}" for left in _left(folder, tool.pid)]
    faults += [
        f"leftover {path.name} in the temporary folder" for path in tmp.iterdir() if path.name[:10] == "reprocheck"
    ]
    if not faults:
        _remove(folder)
    else:
        (folder / "output").write_text(output, encoding="utf-8")
    return Result(target.name, tool.returncode, seconds, tuple(faults))


def judge(target: Hostile, code: int, output: str) -> list[str]:
    """What is wrong with how an audit ended."""
    faults = []
    if found := OURS.search(output):
        faults.append(f"traceback: {found[0]}")
    headline = next((line for line in output.splitlines() if line.startswith("REPRODUCIBLE")), "")
    if target.differs and code == 0:
        limits = headline.partition(" in what was compared; ")[2]
        if not target.unseen or target.unseen not in limits:
            faults.append(f"false same: {headline[:160]}")
    elif code not in target.codes:
        first = next((line for line in output.splitlines() if line.strip()), "")
        faults.append(f"wrong exit: {code}, not one of {target.codes}: {first[:160]}")
    if target.says not in output:
        faults.append(f"not said: {target.says!r}")
    return faults


def _left(folder: Path, tool: int) -> list[str]:
    """Processes that carry our mark, are a run of the audit or work in the folder; one that was killed may take a
    moment to go."""
    end = time.monotonic() + 5
    while (left := list(_alive(folder, tool))) and time.monotonic() < end:
        time.sleep(0.1)
    for one in left:
        one.kill()
    return [str(one.pid) for one in left]


def _alive(folder: Path, tool: int) -> Iterator[psutil.Process]:
    for one in psutil.process_iter():
        try:
            environ = one.environ()
            audit = environ.get(RUN_VARIABLE, "").partition("/")[0]  # it ends with the number of the tool
            is_ours = environ.get(MARK) == str(folder) or audit.endswith(f"-{tool}")
            is_ours = is_ours or one.cwd().startswith(f"{folder}{os.sep}")
            if is_ours and one.status() != psutil.STATUS_ZOMBIE:
                yield one
        except (psutil.Error, OSError):
            continue


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():  # the target took away our rights to its folders
        for path, _, _ in os.walk(folder):
            os.chmod(path, 0o700)
        shutil.rmtree(folder, ignore_errors=True)
