"""Why no verdict was reached, the runs that failed, and what to try."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reprocheck.engine.console import clip
from reprocheck.model import Audit, RunSummary, SeedAudit, Status, Verdict
from reprocheck.report.document import MOST_TAIL_LINES, Block, Gap, Note, Output, indented
from reprocheck.report.sections.memory import out_of_memory
from reprocheck.report.sections.runs import MOST_ITEMS, status_text
from reprocheck.report.wording import count, first_of

_STDERR_TAIL = 64_000
_LONGEST_MESSAGE = 200
"""Characters of an error's last line by which it is known again."""


def why_none(audit: Audit) -> list[Block]:
    """What the first lines say below "no verdict reached"."""
    blocks: list[Block] = []
    for seed in audit.seeds:
        if seed.verdict is Verdict.NO_VERDICT and seed.reason:
            blocks.append(Note("why", f"seed {seed.seed}: {clip(seed.reason)}"))
    reason = audit.summary if audit.against is None or not audit.against.reason else audit.against.reason
    blocks += [] if blocks else [Note("why", clip(reason))]
    above = " ".join(seed.reason for seed in audit.seeds)
    failed = [run for seed in _all_seeds(audit) for run in seed.runs if run.status is not Status.COMPLETED]
    for alike in _alike(failed):
        blocks += [Gap(), *_failed_runs(alike, above)]
    return [*blocks, Gap(), *(Note("help", hint) for hint in _what_to_try(audit))]


def _all_seeds(audit: Audit) -> tuple[SeedAudit, ...]:
    """Those of the other revision, too."""
    return audit.seeds if audit.against is None else (*audit.seeds, *audit.against.seeds)


def _alike(runs: Sequence[RunSummary]) -> list[list[RunSummary]]:
    """Runs that failed for one reason with one last output, together."""
    groups: dict[tuple[Status, str, str], list[RunSummary]] = {}
    for run in runs:
        groups.setdefault((run.status, run.reason, run.stderr_tail), []).append(run)
    return list(groups.values())


def _failed_runs(runs: Sequence[RunSummary], above: str) -> list[Block]:
    """`above`: what the report says already."""
    run = runs[0]
    names = ("run " if len(runs) == 1 else "runs ") + ", ".join(clip(one.id) for one in runs[:MOST_ITEMS])
    more = f" and {len(runs) - MOST_ITEMS} more" if len(runs) > MOST_ITEMS else ""
    is_new = not run.reason or run.reason not in above
    reason = f": {clip(run.reason) or 'reason unknown'}" if is_new else ""
    blocks = indented([f"{names}{more} {status_text(run.status)}{reason}"])
    # A hostile or huge end of a log is cut before it is looked at.
    tail = [line.rstrip() for line in run.stderr_tail[-_STDERR_TAIL:].splitlines() if line.strip()]
    if run.out_of_memory is not None:
        blocks += out_of_memory(run.out_of_memory)
    if tail and run.reason.startswith(tail[-1].strip()[:_LONGEST_MESSAGE]):  # it stands in a line above
        tail.pop()
    if not tail:
        return blocks
    left_out = len(tail) - MOST_TAIL_LINES
    shown = [f"({count(left_out, 'line')} left out)"] if left_out > 0 else []
    return blocks + indented([Output((*shown, *map(clip, tail[-MOST_TAIL_LINES:])))])


def _what_to_try(audit: Audit) -> Iterator[str]:
    statuses = {run.status for seed in _all_seeds(audit) for run in seed.runs}
    if statuses == {Status.COMPLETED} and audit.against is not None and audit.against.reason:
        yield "compare with a revision that reproduces and whose own code runs, or audit without --against"
        return
    if all(seed.verdict is Verdict.REPRODUCIBLE for seed in audit.seeds) and audit.baseline is not None:
        yield "give the metrics a tolerance, as in --tolerance loss=1%"
        yield "or write down the results of this numerical class, too, with --update-baseline"
        return
    if audit.missing_runs:
        names = first_of(audit.missing_runs, MOST_ITEMS)
        yield f"make the runs that are missing ({clip(names)}) with `reprocheck worker`, and collect again"
        return
    yield "stdout.txt and stderr.txt in the folder of each run hold all its output"
    failed = [run for seed in _all_seeds(audit) for run in seed.runs if run.status is Status.FAILED]
    if any(run.out_of_memory is None for run in failed):
        yield "run the target once without reprocheck, from this folder and with these arguments"
    if Status.TIMED_OUT in statuses:
        yield "give it more time with --timeout, or fewer steps with --max-steps"
    if Status.LOST in statuses:
        yield "a run that vanished was often killed for memory: try --jobs 1, or --max-steps"
    if statuses <= {Status.COMPLETED}:
        helps = dict.fromkeys(item.help for item in audit.not_compared if item.is_result and item.help)
        yield from helps
        if helps:
            return
        yield "let the target step an optimizer or return something, so that there is something to compare"
