"""`reprocheck plan` for a person: where the runs lie, and how they are started; `reprocheck worker`: how one ended."""

from __future__ import annotations

from reprocheck.commands.plan.make import PlanReport
from reprocheck.commands.plan.worker import Made
from reprocheck.engine.console import clip
from reprocheck.model import Status
from reprocheck.report.document import (
    Document,
    Headline,
    KeyValues,
    Output,
    Role,
    Span,
    document,
    indented,
)
from reprocheck.report.wording import count, duration, shown_path


def plan_document(made: PlanReport) -> Document:
    """The whole report."""
    plan, out = made.plan, clip(shown_path(made.out))
    seeds = len({run.seed for run in plan.runs})
    rows = (
        ("one run", f"`reprocheck worker {out}/run-0`"),
        ("all, here", f"`{out}/local.sh`"),
        ("Slurm", f"`cd {out} && sbatch slurm.sh`"),
        ("Kubernetes", f"complete `{out}/kubernetes.yaml`"),
        ("then", f"`reprocheck collect {out}`"),
    )
    checked = f"{count(len(plan.code), 'source file')} and {count(len(plan.data), 'other file')} are checked by digest"
    left = f"; {count(made.left, 'file')} too large or too many are not: name what runs read with --data"
    return document(
        "reprocheck plan",
        [Headline(Span("PLANNED", Role.SUCCESS), clip(plan.target.text), f"{count(len(plan.runs), 'run')} of "
                  f"{count(seeds, 'seed')} in {out}")],
        indented([KeyValues(rows)]),
        [checked + (left if made.left else "")],
    )  # fmt: skip


def run_document(made: Made) -> Document:
    """What became of one run."""
    outcome = made.result.outcome
    if outcome.status is Status.COMPLETED:
        word, text = Span("COMPLETE", Role.SUCCESS), f"in {duration(outcome.seconds)}"
    else:
        word, text = Span(outcome.status.value.upper(), Role.ERROR), clip(outcome.reason)
    tail = outcome.stderr_tail.splitlines()[-20:] if outcome.status is not Status.COMPLETED else []
    return document(
        "reprocheck worker",
        [Headline(word, f"{made.run} ({outcome.spec.id})", text)],
        indented([Output(tuple(map(clip, tail)))]) if tail else [],
    )
