"""A request → a folder with one folder a run, which a scheduler, a script or a person starts anywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reprocheck import __version__
from reprocheck.commands.plan.code import digest_files
from reprocheck.commands.plan.scripts import scripts
from reprocheck.config.options import PLANNED
from reprocheck.config.settings import build_request
from reprocheck.config.written import as_written
from reprocheck.engine.plan import Planner, plan_runs
from reprocheck.errors import ExitCode, UsageError
from reprocheck.model import Target
from reprocheck.model.plan import Plan, PlannedRun
from reprocheck.protocol.plan_files import MOST_RUNS, ORDER_FILE, PLAN_FILE, encode_plan, run_folder
from reprocheck.protocol.reading import write_new
from reprocheck.protocol.secrets import MASK, is_secret_variable, mask_arguments, mask_argv, mask_text

KEPT = tuple(name for name in PLANNED if name not in ("seeds", "arg"))
"""`seed` holds all seeds, the target its arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReport:
    """What `reprocheck plan` made."""

    plan: Plan
    out: Path
    left: int
    """Files in the folder of the code that are not checked."""
    exit_code: ExitCode = ExitCode.OK


def make_plan(
    target: Target, options: Mapping[str, Any], out: Path, data: Sequence[Path] = (), same_class: bool = False
) -> PlanReport:
    """Write the folder. Raises UsageError."""
    cwd = Path.cwd()
    request = build_request(target, options)
    _refuse_secrets(target, request.settings.env)
    if request.repeats * len(request.seeds) > MOST_RUNS:
        raise UsageError(f"a plan has at most {MOST_RUNS:,} runs", "plan several")
    target = _relative(target, cwd)
    folder = _new_folder(out)
    planner = Planner(request=request, environ={}, cwd=cwd, directory=folder, tmp=folder)
    runs = tuple(
        PlannedRun(number=number, id=spec.id, seed=spec.seed, repeat=spec.repeat)
        for number, spec in enumerate(plan_runs(planner))
    )
    files = digest_files(cwd, folder, data)
    plan = Plan(
        id="",
        version=__version__,
        target=target,
        options=as_written(options, KEPT),
        runs=runs,
        folder=os.path.relpath(cwd, folder),
        code=files.code,
        data=files.data,
        same_class=same_class,
    )
    content = encode_plan(plan)
    plan = replace(plan, id=content["plan"])
    _write(folder, plan, content)
    return PlanReport(plan=plan, out=out, left=files.left)


def _new_folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise UsageError(f"{out} is not empty", "name a new folder with --out")
        return Path(os.path.realpath(out))
    except OSError as error:
        raise UsageError(f"cannot make {out}: {error.strerror or error}", "name another folder with --out") from error


def _relative(target: Target, cwd: Path) -> Target:
    if target.path is None:
        return target
    try:
        return replace(target, path=Path(os.path.abspath(target.path)).relative_to(cwd))
    except ValueError:
        hint = "plan in the folder that holds the code: workers find the target relative to it"
        raise UsageError(f"{target.text} lies outside of the current folder", hint) from None


def _refuse_secrets(target: Target, environment: Sequence[tuple[str, str]]) -> None:
    """A plan is a file that travels."""
    hint = "set it in the environment of the jobs, and let the target read it there"
    arguments = dict(target.arguments)
    if mask_argv(target.argv) != tuple(target.argv) or mask_arguments(arguments) != arguments:
        raise UsageError("an argument of the target looks like a secret, and a plan would hold it", hint)
    for name, value in environment:
        if is_secret_variable(name) or MASK in mask_text(value):
            raise UsageError(f"--env {name} looks like a secret, and a plan would hold it", hint)


def _write(folder: Path, plan: Plan, content: Mapping[str, Any]) -> None:
    try:
        for run in plan.runs:
            place = folder / run_folder(run.number)
            place.mkdir()
            order = {"plan": plan.id, "run": run.number, "id": run.id, "seed": run.seed, "repeat": run.repeat}
            write_new(place / ORDER_FILE, (json.dumps(order) + "\n").encode())
        for name, script in scripts(plan).items():
            write_new(folder / name, script.encode())
            if name.endswith(".sh"):
                os.chmod(folder / name, 0o700)
        write_new(folder / PLAN_FILE, (json.dumps(content, indent=1) + "\n").encode())
    except OSError as error:
        raise UsageError(f"cannot write the plan: {error.strerror or error} ({error.filename})") from error
