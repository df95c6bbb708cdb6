"""`vary --engine`, `cost --engine`: the command as it stands, as one job. All of its runs are compared with one control
run, or timed against it: only runs of one machine can be."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from reprocheck.engine.interrupts import deferred
from reprocheck.engine.progress import Progress
from reprocheck.engine.remote.engines import NONE, Ended, Engine, Job, Setting, open_engine
from reprocheck.engine.session import session
from reprocheck.errors import Interrupted, NoVerdictError
from reprocheck.model import Request

JOBS = "jobs"
"""The folder for what the job prints."""
POLL_SECONDS = 0.2
_OWN = ("--engine", "--engine-arg")


def run_whole(words: Sequence[str], request: Request, engine: str, given: dict[str, Any], progress: Progress) -> int:
    """Have the command made of these words run on an engine; print what it prints, and return its exit code. Raises
    UsageError, NoVerdictError where its machine was lost, or Interrupted."""
    with session(request, progress, JOBS) as one:
        folder = one.folder
        setting = Setting(folder=folder, jobs=1, seconds=None, arguments=given)
        job = Job(name="command", arguments=without_engine(words), folder=Path.cwd())
        ended = _wait(open_engine(engine, setting), job, Path(setting.err(job)))
        if ended.code is None:
            raise NoVerdictError(f"the job was lost: {ended.text}")
        sys.stdout.flush()
        with open(setting.out(job), "rb") as out:
            sys.stdout.buffer.write(out.read())
        return ended.code


def without_engine(words: Sequence[str]) -> tuple[str, ...]:
    """The same command, which makes its runs itself. What stands after -- is the target's."""
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            return (*kept, "--engine", NONE, "--", *rest)
        if word in _OWN:
            next(rest, None)
        elif not word.startswith(tuple(f"{name}=" for name in _OWN)):
            kept.append(word)
    return (*kept, "--engine", NONE)


def _wait(engine: Engine, job: Job, err: Path) -> Ended:
    ended: Ended | None = None
    shown = 0
    with deferred() as stop:
        try:
            engine.submit([job])
            while ended is None and not stop.is_set():
                ended = engine.ended(job)
                shown = _forward(err, shown, sys.stderr.buffer)
                stop.wait(POLL_SECONDS)
        finally:
            if ended is None:
                engine.cancel()
            engine.close()
    if ended is None:
        raise Interrupted("interrupted")
    _forward(err, shown, sys.stderr.buffer)
    return ended


def _forward(file: Path, shown: int, to: BinaryIO) -> int:
    """Whole lines that are new; how many bytes were shown by now."""
    try:
        with file.open("rb") as source:
            source.seek(shown)
            whole = source.read().rpartition(b"\n")
    except OSError:
        return shown
    new = whole[0] + whole[1]
    if new:
        to.write(new)
        to.flush()
    return shown + len(new)
