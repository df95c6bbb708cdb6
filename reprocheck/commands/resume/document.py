"""The answer of `reprocheck resume` for a person: the verdict, the runs, what was restored, and why they diverge."""

from __future__ import annotations

from reprocheck.commands.resume.model import Answer, Cause, ResumeRun
from reprocheck.engine.console import clip
from reprocheck.model import Status, Verdict
from reprocheck.report.document import (
    Block,
    Diagnostic,
    Document,
    Gap,
    Heading,
    Headline,
    Note,
    Role,
    Span,
    Table,
    Text,
    document,
    evidence,
    fatal,
    indented,
    output,
)
from reprocheck.report.wording import count, duration, shown_path, shown_target, size

MOST_FILES = 5
_STATES = {True: "restored", False: "NOT restored", None: "not seen"}
_OBSERVED = {True: "same", False: "DIFFERS", None: "not seen"}
_OF_THE_DATA = ("batch", "generators", "steps left")
"""What is not a state that is loaded, but what follows from one."""


def resume_document(answer: Answer) -> Document:
    """The whole report."""
    return document(
        "reprocheck resume",
        _opening(answer),
        _runs(answer),
        _table(answer),
        *([_cause(cause)] for cause in answer.found.causes),
        _coverage(answer),
        [f"evidence: {clip(shown_path(answer.directory))}"],
    )


def _opening(answer: Answer) -> list[Block]:
    target = clip(shown_target(answer.order.request.target))
    if answer.verdict is Verdict.NO_VERDICT:
        helps = (Note("help", clip(hint)) for hint in answer.help)
        return [fatal("no verdict reached", target, Note("why", clip(answer.summary)), *_stderr_tail(answer), *helps)]
    same = answer.verdict is Verdict.REPRODUCIBLE
    word = Span("RESUMES EXACTLY", Role.SUCCESS) if same else Span("DIFFERENT", Role.ERROR)
    return [Headline(word, target, clip(answer.headline)), *indented([clip(answer.where)])]


def _stderr_tail(answer: Answer) -> list[Block]:
    """Of the run that gave no evidence; that of the cut is meant to have none."""
    for run in answer.runs:
        if run.name != "cut" and run.outcome.status is not Status.COMPLETED:
            tail = output(run.outcome.stderr_tail)
            return [Gap(), *tail, Gap()] if tail else []
    return []


def _runs(answer: Answer) -> list[Block]:
    named = {
        "through": "A, not stopped",
        "cut": "B, stopped",
        "resumed": "B, resumed",
        "control": "A once more",
    }
    rows = tuple((named[run.name], clip(run.how), _span(run), duration(run.outcome.seconds)) for run in answer.runs)
    blocks: list[Block] = [Table(rows, ("run", "", "steps", "time"), right=(3,))] if rows else []
    if answer.files:
        shown = [f"{clip(name)} ({size(number)})" for name, number in answer.files[:MOST_FILES]]
        more = f" and {len(answer.files) - MOST_FILES} more" if len(answer.files) > MOST_FILES else ""
        blocks.append(f"written before it was stopped: {', '.join(shown)}{more}")
    if answer.loads:
        blocks.append(f"loaded when it was resumed: {clip(', '.join(answer.loads[:MOST_FILES]))}")
    return blocks


def _span(run: ResumeRun) -> str:
    if not run.steps:
        return "none"
    if run.first is None:
        return count(run.steps, "step")
    return f"{run.first} to {run.first + run.steps - 1}"


def _table(answer: Answer) -> list[Block]:
    if not answer.found.restored or answer.alignment is None:
        return []
    rows: list[tuple[Text, ...]] = []
    for item in answer.found.restored:
        word = (_OBSERVED if item.what in _OF_THE_DATA else _STATES)[item.same]
        role = Role.SUCCESS if item.same else Role.ERROR
        rows.append((item.what, word if item.same is None else Span(word, role), clip(item.detail)))
    title = Heading(f"at step {answer.alignment.step}, the first after the resumption, against run A")
    return [title, *indented([Table(tuple(rows))])]


def _cause(cause: Cause) -> Diagnostic:
    return Diagnostic(
        (
            (Span(f"error[{cause.code}]", Role.ERROR), f": {clip(cause.message)}"),
            *evidence(map(clip, cause.evidence)),
            Note("note", f"cause: {cause.slug}, confidence: {cause.confidence}"),
            Note("help", clip(cause.help)),
        )
    )


def _coverage(answer: Answer) -> list[Block]:
    found = answer.found
    if answer.verdict is Verdict.NO_VERDICT:
        return []
    blocks: list[Block] = [f"compared: {clip(', '.join(found.compared)) or 'nothing'}"]
    if found.not_compared:
        blocks.append(Heading("not compared:"))
        blocks += indented(f"{clip(item.what)}: {clip(item.reason)}" for item in found.not_compared[:20])
    return blocks + [f"note: {clip(note)}" for note in found.notes]
