"""What an engine calls on the other machine: a command of ours, in a process of its own. Engines find it there by its
name; no code of ours travels. Standard library only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

TAIL = 4000
"""Bytes of standard error that come back."""
END_SECONDS = 30.0
"""For a command that is asked to end."""
_PARENT_DEATH_SIGNAL = 1


def run_command(
    arguments: Sequence[str],
    folder: str,
    variables: Mapping[str, str | None],
    out: str,
    err: str,
) -> tuple[int, str]:
    """`reprocheck ARGUMENTS` in this folder: how it exited, and the end of its standard error. `variables` replace
    those of the engine, which may have set the number of threads; None: unset. `out`, `err`: files for its output."""
    environment = {name: value for name, value in os.environ.items() if name not in variables}
    environment |= {name: value for name, value in variables.items() if value is not None}
    # PYTHONPATH and options such as -I are the engine's own affair: the command is started as the scripts of plans do.
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    with ExitStack() as files:
        stdout, stderr = (files.enter_context(open(path, "wb")) for path in (out, err))
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
        )
        try:
            code = process.wait()
        finally:
            end(process)
    return code, tail_of(err)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command of ours: it clears up, and ends what it has started."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def tail_of(path: str) -> str:
    """The end of a file, as text."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - TAIL))
            return file.read(TAIL).decode("utf-8", "replace")
    except OSError:
        return ""


def _become(arguments: Sequence[str]) -> None:
    """The command itself, which ends when the process that started it does: an engine may kill that one."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
    os.execv(sys.executable, [sys.executable, "-m", "reprocheck", *arguments])


if __name__ == "__main__":
    _become(sys.argv[1:])
