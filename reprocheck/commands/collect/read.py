"""The folder of a planned run → its result, or why it has none that counts. Nothing in it is executed or believed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from reprocheck.engine.plan import Planner
from reprocheck.model import EnvironmentFactors, RunSpec, Status
from reprocheck.model.plan import Left, Plan, PlannedRun, Result
from reprocheck.protocol.plan_files import (
    ORDER_FILE,
    RESULT_FILE,
    START,
    STARTED_FILE,
    NotAPlan,
    decode_result,
    fit,
    read_small,
    run_folder,
)

MOST_ENTRIES = 1000
"""Names in the folder of a run that are looked at."""


def read_result(plan: Plan, folder: Path, run: PlannedRun, planner: Planner) -> Result | Left:
    """What there is of one run in the `folder` of its plan."""
    place = folder / run_folder(run.number)
    try:
        starts = _starts(place)
        if (order := read_small(place / ORDER_FILE)).get("plan") != plan.id:
            return Left(run=run, reason=f"is from another plan: {place.name}/{ORDER_FILE}")
        if order.get("run") != run.number or order.get("id") != run.id:
            return Left(run=run, reason=f"is another run than {place.name}: {place.name}/{ORDER_FILE}")
        if len(starts) > 1:
            return Left(run=run, reason=f"was started twice: {place.name} holds {' and '.join(starts[:3])}")
        if not starts:
            return Left(run=run, reason=_not_there(place), is_missing=True)
        start = place / starts[0]
        if not os.path.lexists(start / RESULT_FILE):
            return Left(run=run, reason=f"{_by(place)} and has not ended, or is half copied", is_missing=True)
        result = decode_result(start / RESULT_FILE, plan.id, run, _spec(planner, run, start))
        cut = fit(result.outcome.spec.directory, result.outcome.digests)
        if cut:
            return Left(run=run, reason=f"is half copied: {place.name}/{starts[0]}/{run.id}/{cut}")
        if result.outcome.status is Status.COMPLETED and not result.outcome.digests:
            return Left(run=run, reason=f"has no digests of its evidence: {place.name}/{starts[0]}/{RESULT_FILE}")
        return result
    except FileNotFoundError:
        return Left(run=run, reason=f"is not there: {place.name} is missing or half copied", is_missing=True)
    except OSError as error:
        return Left(run=run, reason=f"cannot be read: {error.strerror or error} ({place.name})")
    except NotAPlan as error:
        return Left(run=run, reason=f"is refused: {error} ({place.name})")


def _starts(place: Path) -> list[str]:
    found = []
    with os.scandir(place) as entries:
        for count, entry in enumerate(entries):
            if count >= MOST_ENTRIES:
                raise NotAPlan("its folder holds too much")
            if START.fullmatch(entry.name):
                if not entry.is_dir(follow_symlinks=False):
                    raise NotAPlan(f"{entry.name} is no folder")
                found.append(entry.name)
    return sorted(found)


def _not_there(place: Path) -> str:
    return f"{_by(place)} and is not here" if os.path.lexists(place / STARTED_FILE) else "was not started"


def _by(place: Path) -> str:
    try:
        found = read_small(place / STARTED_FILE)
        return f"was started on {str(found['host'])[:100]} at {str(found['at'])[:40]}"
    except (OSError, ValueError, KeyError):
        return "was started"


def _spec(planner: Planner, run: PlannedRun, start: Path) -> RunSpec:
    """As far as judging needs it: environment and folders of the other machine are not known."""
    spec = planner.spec(run.id, run.seed, run.repeat, EnvironmentFactors())
    return replace(spec, directory=start / run.id, looks_at_weights=run.number == 0)
