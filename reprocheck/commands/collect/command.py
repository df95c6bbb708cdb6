"""The options of `reprocheck collect` → an audit with the exit code that they give it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from reprocheck.commands.collect.explain import Explainer, Judged
from reprocheck.commands.collect.judge import judge, open_plan
from reprocheck.commands.plan.code import other_than_planned, others
from reprocheck.commands.plan.worker import files_read, find_code, request_of
from reprocheck.commands.run.gate import read_switches, ruled
from reprocheck.engine.plan import Planner
from reprocheck.engine.progress import Progress
from reprocheck.engine.workspace import temporary_folder
from reprocheck.errors import UsageError
from reprocheck.model import Audit, Verdict
from reprocheck.model.plan import Plan
from reprocheck.protocol.plan_files import run_folder
from reprocheck.report.write import check_writable

EXPLANATION = "explanation"
"""In the folder of a plan: evidence of the further runs."""


def collect_runs(folder: Path, options: Mapping[str, Any], progress: Progress) -> Audit:
    """Raises UsageError."""
    check_writable(options["output"])
    answer = explain(folder, options, progress) if options["explain"] else collect(folder, progress)
    return ruled(answer, read_switches(options))


def collect(folder: Path, progress: Progress) -> Audit:
    """Judge what is there of the runs of a plan. Raises UsageError where there is no plan."""
    plan = open_plan(folder)
    request = replace(request_of(plan, Path.cwd()), explain=False)
    planner = Planner(request=request, environ={}, cwd=Path.cwd(), directory=folder, tmp=folder)
    found = judge(plan, folder, planner, progress)
    if found.verdict is Verdict.DIFFERENT:
        progress.found("collect --explain finds out why, on a machine of the numerical class of the runs that differ")
    return found


def explain(folder: Path, options: Mapping[str, Any], progress: Progress) -> Audit:
    """The same, and find out why runs differ as `reprocheck run` does. Raises UsageError or Interrupted."""
    plan = open_plan(folder)
    folder = Path(os.path.realpath(folder))
    try:
        code, why_not = find_code(plan, folder, None), ""
        other = other_than_planned(code, plan.code)
        why_not = other and f"the code in {code} is not that of the plan: {other}"
    except UsageError as error:
        code, why_not = Path.cwd(), error.message

    def cannot(judged: Judged) -> str:
        return why_not or _other_data(plan, folder, code, judged)

    request = replace(request_of(plan, code), explain_budget=options["explain_budget"], drift=options["drift"])
    shutil.rmtree(folder / EXPLANATION, ignore_errors=True)
    with _in_folder(code), temporary_folder() as tmp:
        here = Planner(request=request, environ=dict(os.environ), cwd=code, directory=folder / EXPLANATION, tmp=tmp)
        explainer = Explainer(planner=here, progress=progress, folder=folder, why_not=cannot)
        return judge(plan, folder, replace(here, directory=folder), progress, explain=explainer)


def _other_data(plan: Plan, folder: Path, code: Path, judged: Judged) -> str:
    """Why the data here is not that of the runs, if they read it."""
    read = {path for run in judged.runs[:2] for path in files_read(folder / run_folder(run.number), run.id)}
    found = others(code, {name: digest for name, digest in plan.data.items() if _is_among(name, read)})
    return next(iter(found.values()), "")


def _is_among(name: str, read: set[str]) -> bool:
    """Paths of another machine: they end as they do here."""
    return any(path == name or path.endswith(f"/{name}") for path in read)


@contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
