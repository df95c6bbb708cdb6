"""Jobs under way → what a person sees of them, and which runs are lost. What counts is in the folders of the runs; the
engine is asked only whether more will come."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from reprocheck.engine.interrupts import deferred
from reprocheck.engine.launch import steps_in
from reprocheck.engine.progress import Progress
from reprocheck.engine.remote.engines import Ended, Engine, Job
from reprocheck.errors import ExitCode, Interrupted, UsageError
from reprocheck.model import Status
from reprocheck.model.plan import Plan, PlannedRun
from reprocheck.protocol.plan_files import RESULT_FILE, START, STARTED_FILE, NotAPlan, read_small, run_folder
from reprocheck.protocol.reading import number, text

POLL_SECONDS = 0.2
POLL_EACH = 0.001
"""More for each run that is waited for: each is looked at."""
LATE_SECONDS = 20.0
"""A shared folder may show what a job has written only a while after its end."""
_NO_RESULT = (int(ExitCode.USAGE), int(ExitCode.INTERRUPTED))
"""How a worker exits that leaves none."""


@dataclass
class _Waiting:
    run: PlannedRun
    job: Job
    place: Path
    start: Path | None = None
    since: float = 0.0
    """When it was first seen at work."""
    ended: Ended | None = None
    over: float = 0.0
    """When its job was first seen to be over."""


@dataclass
class Followed:
    """What became of jobs."""

    lost: dict[int, str] = field(default_factory=dict)
    """Run → why there will be no result."""
    refused: dict[int, str] = field(default_factory=dict)
    """Run → standard error of a worker that did not start it; those are lost, too."""


def follow(plan: Plan, folder: Path, engine: Engine, jobs: Sequence[Job], progress: Progress) -> Followed:
    """Submit a job for each run of a plan, and wait for all. Raises Interrupted, with the jobs cancelled."""
    found = Followed()
    waiting = [_Waiting(run, job, folder / run_folder(run.number)) for run, job in zip(plan.runs, jobs, strict=True)]
    with deferred() as stop:
        try:
            engine.submit(jobs)
            while waiting and not stop.is_set():
                waiting = [one for one in waiting if not _is_over(one, engine, progress, found)]
                if waiting:
                    stop.wait(POLL_SECONDS + POLL_EACH * len(waiting))
        finally:
            if waiting:
                progress.stage("cancelling what was submitted")
                engine.cancel()
            engine.close()
    if stop.is_set():
        raise Interrupted("interrupted")
    return found


def refuse_if_all_refused(found: Followed, plan: Plan) -> None:
    """A target that cannot be run at all is an error of usage, as it is with `run`. Raises UsageError."""
    if len(found.refused) == len(plan.runs):
        said = found.refused[plan.runs[0].number]
        message, hint = message_of(said)
        raise UsageError(message, hint)


def message_of(said: str) -> tuple[str, str | None]:
    """What a command of ours printed as its error, and its help."""
    lines = [line.strip().removeprefix("reprocheck:").strip() for line in said.splitlines()]
    message = next((line.removeprefix("error:").strip() for line in lines if line.startswith("error:")), "")
    hint = next((line.removeprefix("help:").strip() for line in lines if line.startswith("help:")), None)
    return message or (lines[-1] if lines else "it was refused"), hint


def _is_over(one: _Waiting, engine: Engine, progress: Progress, found: Followed) -> bool:
    _look(one, progress)
    if one.start is not None and os.path.lexists(one.start / RESULT_FILE):
        _report(one, progress)
        return True
    now = time.monotonic()
    if one.ended is None:
        one.ended = engine.ended(one.job)
        one.over = now
        return False  # its result may have come just now
    code = one.ended.code
    if code not in _NO_RESULT and engine.is_elsewhere and now < one.over + LATE_SECONDS:
        return False
    if code == int(ExitCode.USAGE):
        found.refused[one.run.number] = one.ended.text
        reason = f"was refused by its worker: {message_of(one.ended.text)[0]}"
    else:
        said = message_of(one.ended.text)[0] if code is not None else one.ended.text
        reason = f"was lost: {said}" if code is None else f"was lost: its worker exited with code {code}: {said}"
    found.lost[one.run.number] = reason
    progress.run_ended(one.run.id, Status.LOST, now - one.since if one.since else 0.0, 0)
    return True


def _look(one: _Waiting, progress: Progress) -> None:
    if one.start is None:
        with suppress(OSError, ValueError, KeyError):
            name = text(read_small(one.place / STARTED_FILE)["start"])
            if START.fullmatch(name) and (one.place / name).is_dir():
                one.start, one.since = one.place / name, time.monotonic()
                progress.run_started(one.run.id, one.run.number)
    if one.start is not None:
        steps = steps_in(one.start / one.run.id)
        if steps:
            progress.run_step(one.run.id, steps, time.monotonic() - one.since)


def _report(one: _Waiting, progress: Progress) -> None:
    """As it is said in the result; whether that counts is judged later."""
    assert one.start is not None
    status, seconds = Status.LOST, 0.0
    with suppress(OSError, NotAPlan, ValueError, KeyError):
        result = read_small(one.start / RESULT_FILE)
        status, seconds = Status(result["status"]), number(result["seconds"])
    progress.run_ended(one.run.id, status, seconds, steps_in(one.start / one.run.id))
