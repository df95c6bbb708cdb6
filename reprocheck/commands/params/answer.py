"""`reprocheck params`, as one page: a run a seed, ended before its first step → rows by name → findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reprocheck.commands.params.findings import find
from reprocheck.commands.params.model import ERROR, Params, Row, Start
from reprocheck.commands.params.ranks import read_starts
from reprocheck.commands.params.rows import rows_of
from reprocheck.engine.plan import Planner
from reprocheck.engine.progress import Progress
from reprocheck.engine.session import session
from reprocheck.errors import ExitCode
from reprocheck.evidence.run import EvidenceUnreadable
from reprocheck.model import AmbientMode, Instruments, Outcome, Request, RunSpec, Status
from reprocheck.report.wording import ending_of

PARAMS = "params"
"""The folder for evidence of these runs: they are no audits."""


def look(request: Request, progress: Progress) -> Params:
    """Make the runs and the answer. Raises UsageError, NoVerdictError or Interrupted."""
    # Seeds must differ in nothing but the seed. Steps are not reached.
    request = replace(request, ambient=AmbientMode.FIXED, settings=replace(request.settings, max_steps=None))
    with session(request, progress, PARAMS) as one:
        specs = [_spec(one.planner, seed) for seed in request.seeds]
        progress.started(len(specs))
        answer = _answer(request, one.launch(specs, request.jobs))
        return replace(answer, directory=one.folder, seconds=one.seconds)


def _spec(planner: Planner, seed: int) -> RunSpec:
    return planner.spec(f"s{seed}", seed, 0, planner.ambient(0), instruments=Instruments(weights=True))


def _answer(request: Request, outcomes: Sequence[Outcome]) -> Params:
    starts: list[Start] = []
    notes: dict[str, None] = {}
    for outcome in outcomes:
        if outcome.status is not Status.COMPLETED:
            return _nothing(request, f"the run with seed {outcome.spec.seed} {ending_of(outcome)}", outcome.stderr_tail)
        try:
            start, read_notes = read_starts(outcome)
        except EvidenceUnreadable as error:
            return _nothing(request, error.message)
        starts.append(start)
        notes |= dict.fromkeys(read_notes)
    rows = rows_of(starts)
    if not rows:
        why = "no parameter was seen: no model was called here, and no optimizer made a step (of processes that the "
        why += "target starts, ranks alone are looked into)"
        return replace(_nothing(request, why), notes=tuple(notes))
    remarks = find(rows, request.seeds)
    errors = sum(remark.severity == ERROR for remark in remarks)
    return Params(
        request=request,
        exit_code=ExitCode.DIFFERENT if errors else ExitCode.OK,
        summary=_summary(rows, starts),
        stage=starts[0].stage,
        rows=rows,
        remarks=remarks,
        notes=tuple(notes),
    )


def _nothing(request: Request, summary: str, stderr_tail: str = "") -> Params:
    return Params(request=request, exit_code=ExitCode.NO_VERDICT, summary=summary, stderr_tail=stderr_tail)


def _summary(rows: Sequence[Row], starts: Sequence[Start]) -> str:
    parameters = [row.tensor for row in rows if row.tensor.kind == "parameter"]
    elements = sum(tensor.count for tensor in parameters)
    frozen = sum(tensor.count for tensor in parameters if not tensor.trainable)
    held = f", {frozen:,} of them frozen" if frozen else ""
    buffers = len(rows) - len(parameters)
    seeds = f"{len(starts)} seeds" if len(starts) > 1 else f"seed {starts[0].seed}"
    return f"{len(parameters)} parameters of {elements:,} numbers{held}, {buffers} buffers; {seeds}"
