"""`reprocheck run --engine`: plan → a worker for each run, submitted → judge what there is → explain."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reprocheck.commands.collect.explain import Explainer
from reprocheck.commands.collect.judge import judge
from reprocheck.commands.collect.read import read_result
from reprocheck.commands.elsewhere.follow import follow, refuse_if_all_refused
from reprocheck.commands.plan.make import make_plan
from reprocheck.commands.run.manifest import make_manifest
from reprocheck.engine.plan import Planner
from reprocheck.engine.progress import Progress
from reprocheck.engine.remote.engines import Job, Setting, open_engine
from reprocheck.engine.session import session
from reprocheck.errors import UsageError
from reprocheck.model import Audit, Request, Target, TraceMode
from reprocheck.model.plan import Plan, Result
from reprocheck.protocol.plan_files import run_folder

PLAN = "plan"
JOBS = "jobs"
"""In the folder of the audit."""


def audit_on_engine(request: Request, target: Target, options: Mapping[str, Any], progress: Progress) -> Audit:
    """As `commands.run.audit.audit`. `target`: as it was named, before --nproc put a launcher in its place."""
    name = options["engine"]
    _refuse(request, name)
    with session(request, progress) as one:
        planner = one.planner
        setting = Setting(
            folder=planner.directory / JOBS,
            jobs=request.jobs,
            seconds=request.settings.timeout,
            arguments=dict(options["engine_arg"]),
        )
        folder = planner.directory / PLAN
        plan = make_plan(target, options, folder).plan
        engine = open_engine(name, setting)
        jobs = [
            Job(
                name=run_folder(run.number),
                arguments=("worker", "-q", str(folder / run_folder(run.number)), "--folder", str(planner.cwd)),
                folder=planner.cwd,
            )
            for run in plan.runs
        ]
        then = f"if they differ, at most {request.explain_budget} further runs find out why"
        progress.started(len(jobs), then if request.explain and request.explain_budget else "")
        found = follow(plan, folder, engine, jobs, progress)
        refuse_if_all_refused(found, plan)
        explainer = Explainer(
            planner=planner,
            progress=progress,
            folder=folder,
            made_here=not engine.is_elsewhere and _all_here(plan, folder, planner),
        )
        return judge(
            plan,
            folder,
            planner,
            progress,
            lost=found.lost,
            one_folder=True,
            explain=explainer if request.explain else None,
            manifest=lambda: make_manifest(request.target, Path.cwd(), {}),
        )


def _all_here(plan: Plan, folder: Path, planner: Planner) -> bool:
    """Whether this machine made all of them."""
    results = (read_result(plan, folder, run, planner) for run in plan.runs)
    own = socket.gethostname()
    return all(one.host == own for one in results if isinstance(one, Result))


def _refuse(request: Request, engine: str) -> None:
    """What needs all runs at hand while they are made. Raises UsageError."""
    given = {
        "--against": request.against is not None,
        "--baseline": request.baseline is not None,
        "--fail-fast": request.fail_fast,
        "--cached": request.cached,
        "--trace always": request.trace is TraceMode.ALWAYS,
    }
    for option, is_given in given.items():
        if is_given:
            raise UsageError(f"{option} does not go with --engine {engine}", "leave one of them out")
