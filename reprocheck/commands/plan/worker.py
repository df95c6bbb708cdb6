"""`reprocheck worker DIR/run-3`: one planned run, made here. What became of it lies in its folder afterwards."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reprocheck import __version__
from reprocheck.commands.plan.code import is_large, other_than_planned, others
from reprocheck.commands.run.manifest import make_manifest
from reprocheck.config.options import OPTIONS, PLANNED
from reprocheck.config.settings import build_request, merge
from reprocheck.engine.launch import launch
from reprocheck.engine.plan import Planner, pinned, plan_runs
from reprocheck.engine.progress import Progress
from reprocheck.engine.workspace import temporary_folder
from reprocheck.errors import ExitCode, Interrupted, NoVerdictError, UsageError
from reprocheck.evidence.run import EvidenceUnreadable, load_evidence
from reprocheck.model import Outcome, Request, RunSpec, Status
from reprocheck.model.plan import Plan, PlannedRun, Result
from reprocheck.protocol import EVIDENCE_FILE
from reprocheck.protocol.inputs import machine
from reprocheck.protocol.plain_json import plain
from reprocheck.protocol.plan_files import (
    CLASS_FILE,
    ORDER_FILE,
    PLAN_FILE,
    RESULT_FILE,
    START,
    STARTED_FILE,
    NotAPlan,
    encode_result,
    read_plan,
    read_small,
    run_folder,
)
from reprocheck.protocol.reading import read_lines, table
from reprocheck.protocol.seal import seal

_OTHERS = "it was changed, or made by another version of reprocheck: plan again"
SLOT_SECONDS, SLOT_OPEN, MOST_SLOTS = 2.0, 0.5, 4
"""A scheduler may start all runs at once. Repeats take turns of the clock: each starts in the first half second of a
slot of its own, so that no two of them see the same second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What `reprocheck worker` came to."""

    run: str
    result: Result

    @property
    def exit_code(self) -> ExitCode:
        """Whether the run can be judged."""
        completed = self.result.outcome.status is Status.COMPLETED
        return ExitCode.OK if completed else ExitCode.NO_VERDICT


def make_run(place: Path, progress: Progress, folder: Path | None = None, again: bool = False) -> Made:
    """Make the run of this folder. Raises UsageError where it is not to be started here, or Interrupted."""
    place = Path(os.path.realpath(place))
    plan, run = open_order(place)
    code = find_code(plan, place.parent, folder)
    _refuse_other_code(plan, code)
    if plan.same_class:
        _refuse_other_machine(place.parent)
    if again:
        _forget(place)
    start = _claim(place, plan, run)
    try:
        os.chdir(code)
        result = _make(plan, run, code, start, progress)
    except (Interrupted, UsageError, NoVerdictError):  # nothing is left of it, so that it can be started again
        _forget(place)
        raise
    fresh = start / f".{RESULT_FILE}"
    fresh.write_text(encode_result(plan.id, result), encoding="utf-8")
    os.replace(fresh, start / RESULT_FILE)
    return Made(run=run_folder(run.number), result=result)


def open_order(place: Path) -> tuple[Plan, PlannedRun]:
    """The plan that a folder belongs to, and its run. Raises UsageError."""
    hint = "name a folder run-N of a plan, as `reprocheck plan --out DIR` makes it"
    try:
        order = read_small(place / ORDER_FILE)
        plan = read_plan(place.parent)
    except FileNotFoundError as error:
        raise UsageError(f"{place} is no run of a plan: there is no {error.filename}", hint) from error
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}: {error.strerror or error}", hint) from error
    except NotAPlan as error:
        raise UsageError(f"{place.parent / PLAN_FILE}: {error}", hint) from error
    if order.get("plan") != plan.id:
        raise UsageError(f"{place.name} is from another plan than {place.parent / PLAN_FILE}", hint)
    run = next((run for run in plan.runs if run.number == order.get("run") and run.id == order.get("id")), None)
    if run is None or place.name != run_folder(run.number):
        raise UsageError(f"{place / ORDER_FILE} is not that of {place.name}", hint)
    if plan.version != __version__:
        raise UsageError(f"the plan was made by reprocheck {plan.version}, this is {__version__}", "install that one")
    return plan, run


def find_code(plan: Plan, of_plan: Path, given: Path | None) -> Path:
    """The folder of the code, on this machine. Raises UsageError."""
    hint = "name the folder with --folder, or start the worker in it"
    if given is not None:
        if not given.is_dir():
            raise UsageError(f"there is no folder {given}", hint)
        return Path(os.path.realpath(given))
    places = (of_plan / plan.folder, Path.cwd())
    for place in places:
        if place.is_dir() and (plan.target.path is None or (place / plan.target.path).is_file()):
            return Path(os.path.realpath(place))
    raise UsageError(f"{plan.target.path} is neither in {places[0]} nor in {places[1]}", hint)


def _refuse_other_code(plan: Plan, code: Path) -> None:
    other = other_than_planned(code, plan.code)
    if other:
        raise UsageError(f"the code in {code} is not that of the plan: {other}", "copy it again, or plan again")


def _refuse_other_machine(folder: Path) -> None:
    own = _machine()
    path = folder / CLASS_FILE
    with suppress(FileExistsError):
        _write_once(path, {"machine": own})
        return
    try:
        first = table(read_small(path)["machine"])
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{path} is damaged", "remove it: the next run says which machine is meant") from error
    for name, value in own.items():
        if first.get(name) != value:
            message = f"this machine is unlike that of the first run (--same-class): its {name} is another"
            raise UsageError(message, "start it on a machine of that kind: a constraint of the scheduler")


def _machine() -> dict[str, str]:
    return {name: value for name, value in machine().items() if name != "python"}


def _write_once(path: Path, content: Mapping[str, Any]) -> None:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        json.dump(content, file)


def _claim(place: Path, plan: Plan, run: PlannedRun) -> Path:
    """The folder of this start. Raises UsageError where somebody was here before."""
    name = f"start-{os.urandom(8).hex()}"
    when = time.strftime("%Y-%m-%d %H:%M:%S %z")
    try:
        earlier = next((entry.name for entry in os.scandir(place) if START.fullmatch(entry.name)), None)
        if earlier is not None:
            raise FileExistsError
        _write_once(place / STARTED_FILE, {"plan": plan.id, "start": name, "host": socket.gethostname(), "at": when})
        (place / name).mkdir(0o700)
    except FileExistsError:
        message = f"{place.name} ({run.id}) was started already{_by(place)}"
        raise UsageError(message, "a run is made once; --again discards what that start has left") from None
    except OSError as error:
        raise UsageError(f"cannot write to {place}: {error.strerror or error}") from error
    return place / name


def _by(place: Path) -> str:
    try:
        found = read_small(place / STARTED_FILE)
        return f", on {str(found['host'])[:100]} at {str(found['at'])[:40]}"
    except (OSError, ValueError, KeyError):
        return ""


def _forget(place: Path) -> None:
    """What earlier starts have left."""
    with suppress(FileNotFoundError):
        os.unlink(place / STARTED_FILE)
    for entry in list(os.scandir(place)):
        if START.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)


def _make(plan: Plan, run: PlannedRun, code: Path, start: Path, progress: Progress) -> Result:
    request = request_of(plan, code)
    environ = dict(os.environ)
    with temporary_folder() as tmp:
        planner = Planner(request=request, environ=environ, cwd=code, directory=start, tmp=tmp)
        spec = spec_of(planner, run)
        if spec.ambient.start_gap:
            _wait_for_slot(run.repeat, request.repeats)
        other = others(code, plan.data)
        progress.started(1)
        started = time.time()
        try:
            outcome = launch([spec], 1, progress)[0]
        finally:
            progress.finished()
        outcome = _checked(plan, code, other, replace(outcome, digests=seal(spec.directory)))
        if outcome.usage:
            raise UsageError(outcome.reason)
        manifest = make_manifest(request.target, code, _manifest_of(outcome))
    not_varied = pinned(request, environ)
    return Result(
        run=run,
        outcome=outcome,
        not_varied=not_varied,
        manifest=plain(manifest),
        started=started,
        host=socket.gethostname(),
    )


def _wait_for_slot(repeat: int, repeats: int) -> None:
    slots = min(repeats, MOST_SLOTS)
    whole = slots * SLOT_SECONDS
    for _ in range(MOST_SLOTS):  # a machine under load may oversleep
        since = (time.time() - repeat % slots * SLOT_SECONDS) % whole
        if since < SLOT_OPEN:
            return
        time.sleep(whole - since)


def request_of(plan: Plan, code: Path) -> Request:
    """As it was planned, with the target where it lies here. Raises UsageError."""
    path = plan.target.path
    known = {OPTIONS[name].key for name in PLANNED}
    for name in plan.options:
        if name not in known:
            raise UsageError(f"the plan has an option that plans do not have: {name[:40]!r}", _OTHERS)
    options = merge(dict(plan.options), {})
    request = build_request(replace(plan.target, path=None if path is None else code / path), options)
    each = request.repeats + request.in_process_repeat
    if {run.seed for run in plan.runs} != set(request.seeds) or len(plan.runs) != each * len(request.seeds):
        raise UsageError("the runs of the plan are not those of its options", _OTHERS)
    return request


def spec_of(planner: Planner, run: PlannedRun) -> RunSpec:
    """The specification of one run of a plan. Raises UsageError."""
    specs = plan_runs(planner)
    if run.number >= len(specs) or (specs[run.number].id, specs[run.number].seed) != (run.id, run.seed):
        raise UsageError(f"the plan does not fit its own options: there is no {run.id} at {run_folder(run.number)}")
    return specs[run.number]


def _manifest_of(outcome: Outcome) -> Mapping[str, Any]:
    if outcome.status is not Status.COMPLETED:
        return {}
    try:
        return load_evidence(outcome).manifest
    except EvidenceUnreadable:
        return {}


def _checked(plan: Plan, code: Path, other: Mapping[str, str], outcome: Outcome) -> Outcome:
    """A run that read something else than was planned is none of the plan. `other`: data that was not as planned
    before it started; what it changes itself is its own."""
    if outcome.status is not Status.COMPLETED:
        return outcome
    with suppress(OSError, ValueError, KeyError):
        for path in _read_files(outcome.spec.directory / EVIDENCE_FILE):
            name = os.path.relpath(path, outcome.spec.cwd)
            reason = other.get(name, "")
            if not reason and name in plan.data and is_large(code / name):
                reason = other_than_planned(code, {name: plan.data[name]})
            if reason:
                return replace(outcome, status=Status.LOST, reason=f"it read a file that is not the plan's: {reason}")
    return outcome


def files_read(place: Path, name: str) -> list[str]:
    """The files that a planned run has read, by their paths on its machine; nothing where that is not known."""
    with suppress(OSError, ValueError, KeyError, StopIteration):
        start = next(entry.path for entry in os.scandir(place) if START.fullmatch(entry.name))
        return _read_files(Path(start) / name / EVIDENCE_FILE)
    return []


def _read_files(path: Path) -> list[str]:
    for line in read_lines(path):
        if line.get("record") == "inputs":
            return list(table(line["files"]))
    return []
